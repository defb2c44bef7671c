/**
 * The fields of registers as `nvme show-regs -H` of nvme-cli (2.3) prints them.
 * Not here: those of the Persistent Memory Region, which this model does not have.
 */
import {
  AMS,
  AQA,
  BPINFO,
  BPRSEL,
  BRS,
  CAP_AMS,
  CAP_CRMS,
  CAP_CSS,
  CAP_HI,
  CAP_LO,
  CC,
  CMBLOC,
  CMBMSC,
  CMBSTS,
  CMBSZ,
  CRTO,
  CSS,
  CSTS,
  REG,
  SHN,
  SHST,
  VS,
} from '../../nvme/spec/registers.ts';

interface Words {
  readonly low: number;
  readonly high: number;
}

type FieldLines = (words: Words, value: bigint) => readonly string[];

/** Registers whose lines the next one follows without an empty line. */
export const WITHOUT_GAP: readonly number[] = [REG.CRTO, REG.BPINFO, REG.BPRSEL, REG.BPMBL];

const TIMEOUT_UNIT_MS = 500;
/** Column of the texts of `cap`. */
const UNDER_CAP = ' '.repeat(43);

const yes = (bit: number): string => (bit === 0 ? 'No' : 'Yes');
const isSupported = (bit: number, not = 'Not Supported'): string => (bit === 0 ? not : 'Supported');
const page = (log2: number): string => `${2 ** (12 + log2)} bytes`;
const seconds = (units: number): string => `${Math.floor((units * TIMEOUT_UNIT_MS) / 1000)} secs`;
const named = (names: Readonly<Record<number, string>>, value: number): string => names[value] ?? 'Reserved';

const ARBITRATION: Readonly<Record<number, string>> = {
  [AMS.ROUND_ROBIN]: 'Round Robin',
  [AMS.WEIGHTED_ROUND_ROBIN]: 'Weighted Round Robin with Urgent Priority Class',
  [AMS.VENDOR]: 'Vendor Specific',
};
const COMMAND_SETS: Readonly<Record<number, string>> = {
  [CSS.NVM]: 'NVM Command Set',
  [CSS.ALL]: 'All supported I/O Command Sets',
  [CSS.ADMIN_ONLY]: 'Admin Command Set only',
};
const NOTIFICATIONS: Readonly<Record<number, string>> = {
  [SHN.NONE]: 'No notification; no effect',
  [SHN.NORMAL]: 'Normal shutdown notification',
  [SHN.ABRUPT]: 'Abrupt shutdown notification',
};
const SHUTDOWNS: Readonly<Record<number, string>> = {
  [SHST.NORMAL]: 'Normal operation (no shutdown has been requested)',
  [SHST.IN_PROGRESS]: 'Shutdown processing occurring',
  [SHST.COMPLETE]: 'Shutdown processing complete',
};
const BOOT_READS: Readonly<Record<number, string>> = {
  [BRS.NONE]: 'No Boot Partition read operation requested',
  [BRS.IN_PROGRESS]: 'Boot Partition read in progress',
  [BRS.COMPLETE]: 'Boot Partition read completed successfully',
  [BRS.ERROR]: 'Error completing Boot Partition read',
};
const SIZE_UNITS = ['4 KB', '64 KB', '1 MB', '16 MB', '256 MB', '4 GB', '64 GB'];
const NO_MEMORY_BUFFER = ['Controller Memory Buffer feature is not supported'];

function capabilities({ low, high }: Words): readonly string[] {
  const { MQES, CQR, AMS: arbitration, TO } = CAP_LO.decode(low);
  const { DSTRD, NSSRS, CSS: sets, BPS, MPSMIN, MPSMAX, PMRS, CMBS, CRMS } = CAP_HI.decode(high);
  const weighted = isSupported(arbitration & CAP_AMS.WEIGHTED_ROUND_ROBIN, 'not supported').toLowerCase();
  const last =
    sets & CAP_CSS.ADMIN_ONLY ? 'Only Admin Command Set Supported' : 'I/O Command Set is Supported';
  return [
    `Controller Ready With Media Support (CRWMS): ${isSupported(CRMS & CAP_CRMS.READY_WITH_MEDIA)}`,
    `Controller Ready Independent of Media Support (CRIMS): ${isSupported(CRMS & CAP_CRMS.READY_INDEPENDENT_OF_MEDIA)}`,
    `Controller Memory Buffer Supported (CMBS): The Controller Memory Buffer is ${isSupported(CMBS)}`,
    `Persistent Memory Region Supported (PMRS): The Persistent Memory Region is ${isSupported(PMRS)}`,
    `Memory Page Size Maximum         (MPSMAX): ${page(MPSMAX)}`,
    `Memory Page Size Minimum         (MPSMIN): ${page(MPSMIN)}`,
    `Boot Partition Support              (BPS): ${yes(BPS)}`,
    `Command Sets Supported              (CSS): NVM command set is ${isSupported(sets & CAP_CSS.NVM)}`,
    `${UNDER_CAP}One or more I/O Command Sets are ${isSupported(sets & CAP_CSS.IO_COMMAND_SETS)}`,
    `${UNDER_CAP}${last}`,
    `NVM Subsystem Reset Supported     (NSSRS): ${yes(NSSRS)}`,
    `Doorbell Stride                   (DSTRD): ${4 << DSTRD} bytes`,
    `Timeout                              (TO): ${TO * TIMEOUT_UNIT_MS} ms`,
    `Arbitration Mechanism Supported     (AMS): Weighted Round Robin with Urgent Priority Class is ${weighted}`,
    `Contiguous Queues Required          (CQR): ${yes(CQR)}`,
    `Maximum Queue Entries Supported    (MQES): ${MQES + 1}`,
  ];
}

function configuration({ low }: Words): readonly string[] {
  const { EN, CSS: sets, MPS, AMS: arbitration, SHN: shutdown, IOSQES, IOCQES, CRIME } = CC.decode(low);
  return [
    `Controller Ready Independent of Media Enable (CRIME): ${CRIME === 0 ? 'Disabled' : 'Enabled'}`,
    `I/O Completion Queue Entry Size (IOCQES): ${1 << IOCQES} bytes`,
    `I/O Submission Queue Entry Size (IOSQES): ${1 << IOSQES} bytes`,
    `Shutdown Notification              (SHN): ${named(NOTIFICATIONS, shutdown)}`,
    `Arbitration Mechanism Selected     (AMS): ${named(ARBITRATION, arbitration)}`,
    `Memory Page Size                   (MPS): ${page(MPS)}`,
    `I/O Command Set Selected           (CSS): ${named(COMMAND_SETS, sets)}`,
    `Enable                              (EN): ${yes(EN)}`,
  ];
}

function status({ low }: Words): readonly string[] {
  const { RDY, CFS, SHST: shutdown, NSSRO, PP } = CSTS.decode(low);
  return [
    `Processing Paused               (PP): ${yes(PP)}`,
    `NVM Subsystem Reset Occurred (NSSRO): ${yes(NSSRO)}`,
    `Shutdown Status               (SHST): ${named(SHUTDOWNS, shutdown)}`,
    `Controller Fatal Status        (CFS): ${CFS === 0 ? 'False' : 'True'}`,
    `Ready                          (RDY): ${yes(RDY)}`,
  ];
}

function bufferLocation({ low }: Words): readonly string[] {
  if (low === 0) return NO_MEMORY_BUFFER;
  const { BIR, CQMMS, CQPDS, CDPMLS, CDPCILS, CDMMMS, CQDA, OFST } = CMBLOC.decode(low);
  const enforced = (bit: number) => (bit === 0 ? 'Enforced' : 'Not Enforced');
  const hex = (value: number) => `0x${value.toString(16)}`;
  return [
    `Offset                                                        (OFST): ${hex(OFST)} (See cmbsz.szu for granularity)`,
    `CMB Queue Dword Alignment                                     (CQDA): ${CQDA}`,
    `CMB Data Metadata Mixed Memory Support                      (CDMMMS): ${enforced(CDMMMS)}`,
    `CMB Data Pointer and Command Independent Locations Support (CDPCILS): ${enforced(CDPCILS)}`,
    `CMB Data Pointer Mixed Locations Support                    (CDPMLS): ${enforced(CDPMLS)}`,
    `CMB Queue Physically Discontiguous Support                   (CQPDS): ${enforced(CQPDS)}`,
    `CMB Queue Mixed Memory Support                               (CQMMS): ${enforced(CQMMS)}`,
    `Base Indicator Register                                        (BIR): ${hex(BIR)}`,
  ];
}

function bufferSize({ low }: Words): readonly string[] {
  if (low === 0) return NO_MEMORY_BUFFER;
  const { SQS, CQS, LISTS, RDS, WDS, SZU, SZ } = CMBSZ.decode(low);
  const can = (bit: number) => `in Controller Memory Buffer is ${isSupported(bit, 'Not supported')}`;
  return [
    `Size                      (SZ): ${SZ}`,
    `Size Units               (SZU): ${named(SIZE_UNITS, SZU)}`,
    `Write Data Support       (WDS): Write Data and metadata transfer ${can(WDS)}`,
    `Read Data Support        (RDS): Read Data and metadata transfer ${can(RDS)}`,
    `PRP SGL List Support   (LISTS): PRP/SG Lists ${can(LISTS)}`,
    `Completion Queue Support (CQS): Admin and I/O Completion Queues ${can(CQS)}`,
    `Submission Queue Support (SQS): Admin and I/O Submission Queues ${can(SQS)}`,
  ];
}

function bootInformation({ low }: Words): readonly string[] {
  const { BPSZ, BRS: read, ABPID } = BPINFO.decode(low);
  return [
    `Active Boot Partition ID      (ABPID): ${ABPID}`,
    `Boot Read Status                (BRS): ${named(BOOT_READS, read)}`,
    `Boot Partition Size            (BPSZ): ${BPSZ}`,
  ];
}

function bootSelection({ low }: Words): readonly string[] {
  const { BPRSZ, BPROF, BPID } = BPRSEL.decode(low);
  return [
    `Boot Partition Identifier      (BPID): ${BPID}`,
    `Boot Partition Read Offset    (BPROF): ${BPROF.toString(16)}`,
    `Boot Partition Read Size      (BPRSZ): ${BPRSZ.toString(16)}`,
  ];
}

function bufferControl({ low }: Words, value: bigint): readonly string[] {
  const { CRE, CMSE } = CMBMSC.decode(low);
  return [
    `Controller Base Address         (CBA): ${(value >> BigInt(CMBMSC.CBA.low)).toString(16)}`,
    `Controller Memory Space Enable (CMSE): ${CMSE}`,
    `Capabilities Registers Enabled  (CRE): CMBLOC and CMBSZ registers are ${CRE === 0 ? 'NOT ' : ''}enabled`,
  ];
}

/** Lines for the fields of a register, by its offset. */
export const FIELDS: Readonly<Record<number, FieldLines>> = {
  [REG.CAP]: capabilities,
  [REG.VS]: ({ low }) => [`NVMe specification ${VS.MJR.get(low)}.${VS.MNR.get(low)}`],
  [REG.CC]: configuration,
  [REG.CSTS]: status,
  [REG.NSSR]: ({ low }) => [`NVM Subsystem Reset Control (NSSRC): ${low}`],
  [REG.CRTO]: ({ low }) => [
    `CRIMT                               : ${seconds(CRTO.CRIMT.get(low))}`,
    `CRWMT                               : ${seconds(CRTO.CRWMT.get(low))}`,
  ],
  [REG.INTMS]: ({ low }) => [`Interrupt Vector Mask Set (IVMS): ${low.toString(16)}`],
  [REG.INTMC]: ({ low }) => [`Interrupt Vector Mask Clear (IVMC): ${low.toString(16)}`],
  [REG.AQA]: ({ low }) => [
    `Admin Completion Queue Size (ACQS): ${AQA.ACQS.get(low) + 1}`,
    `Admin Submission Queue Size (ASQS): ${AQA.ASQS.get(low) + 1}`,
  ],
  [REG.ASQ]: (_, value) => [`Admin Submission Queue Base (ASQB): ${value.toString(16)}`],
  [REG.ACQ]: (_, value) => [`Admin Completion Queue Base (ACQB): ${value.toString(16)}`],
  [REG.CMBLOC]: bufferLocation,
  [REG.CMBSZ]: bufferSize,
  [REG.BPINFO]: bootInformation,
  [REG.BPRSEL]: bootSelection,
  [REG.BPMBL]: (_, value) => [`Boot Partition Memory Buffer Base Address (BMBBA): ${value.toString(16)}`],
  [REG.CMBMSC]: bufferControl,
  [REG.CMBSTS]: ({ low }) => [`Controller Base Address Invalid (CBAI): ${CMBSTS.CBAI.get(low)}`],
};
