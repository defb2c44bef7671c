/**
 * Linux error numbers of x86-64 (asm-generic/errno-base.h and errno.h) with the sentences glibc prints.
 * One line says all about one number; `ERRNO`, `errnoName` and `errnoText` are filled from those lines.
 * Not here: numbers above 133, which the kernel keeps to itself (ERESTARTSYS, ENOIOCTLCMD), and the
 * exception that the edge throws.
 */

/** A symbolic error name such as `EINVAL`. */
export type ErrnoName = `E${string}`;

const names: ErrnoName[] = [];
const texts: string[] = ['Success'];
const numbers: Record<ErrnoName, number> = {};

function define<const N extends number>(number: N, name: ErrnoName, text: string): N {
  names[number] = name;
  texts[number] = text;
  numbers[name] = number;
  return number;
}

export const EPERM = define(1, 'EPERM', 'Operation not permitted');
export const ENOENT = define(2, 'ENOENT', 'No such file or directory');
export const ESRCH = define(3, 'ESRCH', 'No such process');
export const EINTR = define(4, 'EINTR', 'Interrupted system call');
export const EIO = define(5, 'EIO', 'Input/output error');
export const ENXIO = define(6, 'ENXIO', 'No such device or address');
export const E2BIG = define(7, 'E2BIG', 'Argument list too long');
export const ENOEXEC = define(8, 'ENOEXEC', 'Exec format error');
export const EBADF = define(9, 'EBADF', 'Bad file descriptor');
export const ECHILD = define(10, 'ECHILD', 'No child processes');
export const EAGAIN = define(11, 'EAGAIN', 'Resource temporarily unavailable');
export const ENOMEM = define(12, 'ENOMEM', 'Cannot allocate memory');
export const EACCES = define(13, 'EACCES', 'Permission denied');
export const EFAULT = define(14, 'EFAULT', 'Bad address');
export const ENOTBLK = define(15, 'ENOTBLK', 'Block device required');
export const EBUSY = define(16, 'EBUSY', 'Device or resource busy');
export const EEXIST = define(17, 'EEXIST', 'File exists');
export const EXDEV = define(18, 'EXDEV', 'Invalid cross-device link');
export const ENODEV = define(19, 'ENODEV', 'No such device');
export const ENOTDIR = define(20, 'ENOTDIR', 'Not a directory');
export const EISDIR = define(21, 'EISDIR', 'Is a directory');
export const EINVAL = define(22, 'EINVAL', 'Invalid argument');
export const ENFILE = define(23, 'ENFILE', 'Too many open files in system');
export const EMFILE = define(24, 'EMFILE', 'Too many open files');
export const ENOTTY = define(25, 'ENOTTY', 'Inappropriate ioctl for device');
export const ETXTBSY = define(26, 'ETXTBSY', 'Text file busy');
export const EFBIG = define(27, 'EFBIG', 'File too large');
export const ENOSPC = define(28, 'ENOSPC', 'No space left on device');
export const ESPIPE = define(29, 'ESPIPE', 'Illegal seek');
export const EROFS = define(30, 'EROFS', 'Read-only file system');
export const EMLINK = define(31, 'EMLINK', 'Too many links');
export const EPIPE = define(32, 'EPIPE', 'Broken pipe');
export const EDOM = define(33, 'EDOM', 'Numerical argument out of domain');
export const ERANGE = define(34, 'ERANGE', 'Numerical result out of range');
export const EDEADLK = define(35, 'EDEADLK', 'Resource deadlock avoided');
export const ENAMETOOLONG = define(36, 'ENAMETOOLONG', 'File name too long');
export const ENOLCK = define(37, 'ENOLCK', 'No locks available');
export const ENOSYS = define(38, 'ENOSYS', 'Function not implemented');
export const ENOTEMPTY = define(39, 'ENOTEMPTY', 'Directory not empty');
export const ELOOP = define(40, 'ELOOP', 'Too many levels of symbolic links');
export const ENOMSG = define(42, 'ENOMSG', 'No message of desired type');
export const EIDRM = define(43, 'EIDRM', 'Identifier removed');
export const ECHRNG = define(44, 'ECHRNG', 'Channel number out of range');
export const EL2NSYNC = define(45, 'EL2NSYNC', 'Level 2 not synchronized');
export const EL3HLT = define(46, 'EL3HLT', 'Level 3 halted');
export const EL3RST = define(47, 'EL3RST', 'Level 3 reset');
export const ELNRNG = define(48, 'ELNRNG', 'Link number out of range');
export const EUNATCH = define(49, 'EUNATCH', 'Protocol driver not attached');
export const ENOCSI = define(50, 'ENOCSI', 'No CSI structure available');
export const EL2HLT = define(51, 'EL2HLT', 'Level 2 halted');
export const EBADE = define(52, 'EBADE', 'Invalid exchange');
export const EBADR = define(53, 'EBADR', 'Invalid request descriptor');
export const EXFULL = define(54, 'EXFULL', 'Exchange full');
export const ENOANO = define(55, 'ENOANO', 'No anode');
export const EBADRQC = define(56, 'EBADRQC', 'Invalid request code');
export const EBADSLT = define(57, 'EBADSLT', 'Invalid slot');
export const EBFONT = define(59, 'EBFONT', 'Bad font file format');
export const ENOSTR = define(60, 'ENOSTR', 'Device not a stream');
export const ENODATA = define(61, 'ENODATA', 'No data available');
export const ETIME = define(62, 'ETIME', 'Timer expired');
export const ENOSR = define(63, 'ENOSR', 'Out of streams resources');
export const ENONET = define(64, 'ENONET', 'Machine is not on the network');
export const ENOPKG = define(65, 'ENOPKG', 'Package not installed');
export const EREMOTE = define(66, 'EREMOTE', 'Object is remote');
export const ENOLINK = define(67, 'ENOLINK', 'Link has been severed');
export const EADV = define(68, 'EADV', 'Advertise error');
export const ESRMNT = define(69, 'ESRMNT', 'Srmount error');
export const ECOMM = define(70, 'ECOMM', 'Communication error on send');
export const EPROTO = define(71, 'EPROTO', 'Protocol error');
export const EMULTIHOP = define(72, 'EMULTIHOP', 'Multihop attempted');
export const EDOTDOT = define(73, 'EDOTDOT', 'RFS specific error');
export const EBADMSG = define(74, 'EBADMSG', 'Bad message');
export const EOVERFLOW = define(75, 'EOVERFLOW', 'Value too large for defined data type');
export const ENOTUNIQ = define(76, 'ENOTUNIQ', 'Name not unique on network');
export const EBADFD = define(77, 'EBADFD', 'File descriptor in bad state');
export const EREMCHG = define(78, 'EREMCHG', 'Remote address changed');
export const ELIBACC = define(79, 'ELIBACC', 'Can not access a needed shared library');
export const ELIBBAD = define(80, 'ELIBBAD', 'Accessing a corrupted shared library');
export const ELIBSCN = define(81, 'ELIBSCN', '.lib section in a.out corrupted');
export const ELIBMAX = define(82, 'ELIBMAX', 'Attempting to link in too many shared libraries');
export const ELIBEXEC = define(83, 'ELIBEXEC', 'Cannot exec a shared library directly');
export const EILSEQ = define(84, 'EILSEQ', 'Invalid or incomplete multibyte or wide character');
export const ERESTART = define(85, 'ERESTART', 'Interrupted system call should be restarted');
export const ESTRPIPE = define(86, 'ESTRPIPE', 'Streams pipe error');
export const EUSERS = define(87, 'EUSERS', 'Too many users');
export const ENOTSOCK = define(88, 'ENOTSOCK', 'Socket operation on non-socket');
export const EDESTADDRREQ = define(89, 'EDESTADDRREQ', 'Destination address required');
export const EMSGSIZE = define(90, 'EMSGSIZE', 'Message too long');
export const EPROTOTYPE = define(91, 'EPROTOTYPE', 'Protocol wrong type for socket');
export const ENOPROTOOPT = define(92, 'ENOPROTOOPT', 'Protocol not available');
export const EPROTONOSUPPORT = define(93, 'EPROTONOSUPPORT', 'Protocol not supported');
export const ESOCKTNOSUPPORT = define(94, 'ESOCKTNOSUPPORT', 'Socket type not supported');
export const EOPNOTSUPP = define(95, 'EOPNOTSUPP', 'Operation not supported');
export const EPFNOSUPPORT = define(96, 'EPFNOSUPPORT', 'Protocol family not supported');
export const EAFNOSUPPORT = define(97, 'EAFNOSUPPORT', 'Address family not supported by protocol');
export const EADDRINUSE = define(98, 'EADDRINUSE', 'Address already in use');
export const EADDRNOTAVAIL = define(99, 'EADDRNOTAVAIL', 'Cannot assign requested address');
export const ENETDOWN = define(100, 'ENETDOWN', 'Network is down');
export const ENETUNREACH = define(101, 'ENETUNREACH', 'Network is unreachable');
export const ENETRESET = define(102, 'ENETRESET', 'Network dropped connection on reset');
export const ECONNABORTED = define(103, 'ECONNABORTED', 'Software caused connection abort');
export const ECONNRESET = define(104, 'ECONNRESET', 'Connection reset by peer');
export const ENOBUFS = define(105, 'ENOBUFS', 'No buffer space available');
export const EISCONN = define(106, 'EISCONN', 'Transport endpoint is already connected');
export const ENOTCONN = define(107, 'ENOTCONN', 'Transport endpoint is not connected');
export const ESHUTDOWN = define(108, 'ESHUTDOWN', 'Cannot send after transport endpoint shutdown');
export const ETOOMANYREFS = define(109, 'ETOOMANYREFS', 'Too many references: cannot splice');
export const ETIMEDOUT = define(110, 'ETIMEDOUT', 'Connection timed out');
export const ECONNREFUSED = define(111, 'ECONNREFUSED', 'Connection refused');
export const EHOSTDOWN = define(112, 'EHOSTDOWN', 'Host is down');
export const EHOSTUNREACH = define(113, 'EHOSTUNREACH', 'No route to host');
export const EALREADY = define(114, 'EALREADY', 'Operation already in progress');
export const EINPROGRESS = define(115, 'EINPROGRESS', 'Operation now in progress');
export const ESTALE = define(116, 'ESTALE', 'Stale file handle');
export const EUCLEAN = define(117, 'EUCLEAN', 'Structure needs cleaning');
export const ENOTNAM = define(118, 'ENOTNAM', 'Not a XENIX named type file');
export const ENAVAIL = define(119, 'ENAVAIL', 'No XENIX semaphores available');
export const EISNAM = define(120, 'EISNAM', 'Is a named type file');
export const EREMOTEIO = define(121, 'EREMOTEIO', 'Remote I/O error');
export const EDQUOT = define(122, 'EDQUOT', 'Disk quota exceeded');
export const ENOMEDIUM = define(123, 'ENOMEDIUM', 'No medium found');
export const EMEDIUMTYPE = define(124, 'EMEDIUMTYPE', 'Wrong medium type');
export const ECANCELED = define(125, 'ECANCELED', 'Operation canceled');
export const ENOKEY = define(126, 'ENOKEY', 'Required key not available');
export const EKEYEXPIRED = define(127, 'EKEYEXPIRED', 'Key has expired');
export const EKEYREVOKED = define(128, 'EKEYREVOKED', 'Key has been revoked');
export const EKEYREJECTED = define(129, 'EKEYREJECTED', 'Key was rejected by service');
export const EOWNERDEAD = define(130, 'EOWNERDEAD', 'Owner died');
export const ENOTRECOVERABLE = define(131, 'ENOTRECOVERABLE', 'State not recoverable');
export const ERFKILL = define(132, 'ERFKILL', 'Operation not possible due to RF-kill');
export const EHWPOISON = define(133, 'EHWPOISON', 'Memory page has hardware error');

/** The same number as EAGAIN on Linux, as C has it. */
export const EWOULDBLOCK = EAGAIN;
/** The same number as EDEADLK on x86-64. */
export const EDEADLOCK = EDEADLK;
/** The same number as EOPNOTSUPP on Linux. */
export const ENOTSUP = EOPNOTSUPP;
Object.assign(numbers, { EWOULDBLOCK, EDEADLOCK, ENOTSUP });

/** Error numbers by name, aliases included: `ERRNO.EINVAL` is 22. */
export const ERRNO: Readonly<Record<ErrnoName, number>> = numbers;

/**
 * The name of an error number, positive or as the kernel returns it: both 22 and -22 are `EINVAL`.
 * Of two names that share a number it is the one strace prints; a number without a name gives `E` and itself.
 */
export const errnoName = (errno: number): ErrnoName => names[Math.abs(errno)] ?? `E${Math.abs(errno)}`;

/** The sentence of strerror(3) for an error number, positive or negative; 0 is `Success`. */
export const errnoText = (errno: number): string =>
  texts[Math.abs(errno)] ?? `Unknown error ${Math.abs(errno)}`;
