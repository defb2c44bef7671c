/**
 * The quirks that a controller can have: places where a real one departs from the specification, or where the
 * specification leaves room. A personality names them in `ControllerProfile.quirks`; the list is closed, and each is
 * asked for once, when the part that has it is built. Sources are controllers that were asked (docs/fidelity.md).
 * Not here: what other controllers have as well and Identify or a log tells: profile.ts and absences.ts.
 */

/** Who asked what: QEMU 7.2.22 of Debian 12, its answers to generated commands. */
const QEMU = 'QEMU 7.2';

export interface Quirk {
  /** What the controller does, as one clause. */
  readonly does: string;
  /** The text that it departs from. */
  readonly section: string;
  /** Which real controller does so. */
  readonly source: string;
}

export const QUIRKS = {
  // ---- registers and configuration space ----
  keepsReservedBits: {
    does: 'CC, AQA, ASQ and ACQ take reserved bits, and AQA, ASQ and ACQ also while CC.EN is 1',
    section: 'Base 2.1 §3.1.4',
    source: QEMU,
  },
  disablingClearsCc: {
    does: 'CC is 0 after CC.EN goes from 1 to 0',
    section: 'Base 2.1 §3.7.2',
    source: QEMU,
  },
  shutdownAlone: {
    does: 'CC.SHN counts only in a write that leaves CC.EN alone, and SHN 0 takes CSTS.SHST back',
    section: 'Base 2.1 §3.6.1',
    source: QEMU,
  },
  worksAfterShutdown: {
    does: 'commands go on after a shutdown',
    section: 'Base 2.1 §3.6.1',
    source: QEMU,
  },
  keepsQueueRegisters: {
    does: 'resets leave AQA, ASQ and ACQ',
    section: 'Base 2.1 §3.7.2',
    source: QEMU,
  },
  failureClearsCsts: {
    does: 'a failure leaves CSTS.CFS alone in CSTS',
    section: 'Base 2.1 §3.1.4.6',
    source: QEMU,
  },
  takesAnyArbitration: {
    does: 'CC.AMS may have any value when CC.EN is set',
    section: 'Base 2.1 §3.1.4.5',
    source: QEMU,
  },
  entrySizesAtEnable: {
    does: 'CC.IOSQES must be 6 and CC.IOCQES 4 already when CC.EN is set',
    section: 'Base 2.1 §3.1.4.5',
    source: QEMU,
  },
  zeroFillsParts: {
    does: 'a write of part of a register writes zeroes to the rest, and nothing inside a register',
    section: 'Base 2.1 §3.1.1',
    source: QEMU,
  },
  memoryInConfiguration: {
    does: 'configuration space of no capability is plain memory, and COMMAND.PARITY is not implemented',
    section: 'PCIe 6.0 §7.5.1',
    source: QEMU,
  },
  // ---- admin commands ----
  ignoresUnusedNsid: {
    does: 'admin commands that do not use NSID take any',
    section: 'Base 2.1 §3.2.1.2',
    source: QEMU,
  },
  retriesFusedAdmin: {
    does: 'PSDT is looked at before FUSE, and a refused FUSE is worth a retry (DNR 0)',
    section: 'Base 2.1 §4.1.1',
    source: QEMU,
  },
  abortWantsQueue: {
    does: 'Abort of a submission queue that is not there is Invalid Field',
    section: 'Base 2.1 §5.1.1',
    source: QEMU,
  },
  missingCqIsInvalid: {
    does: 'a completion queue that is not there is Completion Queue Invalid wherever it is named',
    section: 'Base 2.1 §5.2.2, §5.2.3',
    source: QEMU,
  },
  privateNamespaces: {
    does: 'namespaces cannot be attached or detached although the command is there',
    section: 'Base 2.1 §5.1.20',
    source: QEMU,
  },
  hidesVirtualization: {
    does: 'OACS does not announce Virtualization Management, which is there',
    section: 'Base 2.1 §5.1.13.2.1',
    source: QEMU,
  },
  pcLast: {
    does: 'PC of a queue to be created is looked at after PRP1 and the vector',
    section: 'Base 2.1 §5.2.1',
    source: QEMU,
  },
  takesPage0: {
    does: 'Doorbell Buffer Config takes page 0',
    section: 'Base 2.1 §5.2.5',
    source: QEMU,
  },
  formatsSilently: {
    does: 'Format NVM does not tell that a namespace has changed',
    section: 'Base 2.1 §5.1.10',
    source: QEMU,
  },
  announcesWideGuards: {
    does: 'CTRATT announces extended formats (ELBAS), and there are none',
    section: 'Base 2.1 §5.1.13.2.1',
    source: QEMU,
  },
  tellsNoCapacity: {
    does: 'TNVMCAP, UNVMCAP and NVMCAP are 0 although namespaces can be attached',
    section: 'Base 2.1 §5.1.13.2.1',
    source: QEMU,
  },
  nsidBeforeCsi: {
    does: 'Identify looks at NSID before CSI, and a namespace of another command set is Invalid Field',
    section: 'Base 2.1 §5.1.13.1',
    source: QEMU,
  },
  takesAnyController: {
    does: 'Identify 1Ch takes any CNTID',
    section: 'Base 2.1 §5.1.13.2.19',
    source: QEMU,
  },
  wantsOneNamespace: {
    does: 'Identify Namespace has no answer for NSID FFFFFFFFh',
    section: 'Base 2.1 §5.1.13.2.1',
    source: QEMU,
  },
  keepsNoErrors: {
    does: 'the error log has only empty entries',
    section: 'Base 2.1 §5.1.12.1.2',
    source: QEMU,
  },
  countsLittle: {
    does: 'SMART has 0 for spare, its threshold, power cycles and entries of the error log',
    section: 'Base 2.1 §5.1.12.1.3',
    source: QEMU,
  },
  shortLogs: {
    does:
      'Get Log Page sends no more than the page has, calls an unknown page Invalid Field, looks at NSID in the SMART ' +
      'page alone (announced as SMART for each namespace), and takes any dword inside the page as offset',
    section: 'Base 2.1 §5.1.12',
    source: QEMU,
  },
  // ---- features ----
  grantsEveryQueue: {
    does: 'Number of Queues answers with the most there is, whatever was asked for',
    section: 'Base 2.1 §5.1.25.1.5',
    source: QEMU,
  },
  takesAnyFeatureBits: {
    does: 'Set Features takes reserved bits in CDW11',
    section: 'Base 2.1 §5.1.25',
    source: QEMU,
  },
  forgetsOtherTemperatures: {
    does: 'thresholds of temperatures that are not there are taken, forgotten and read 0',
    section: 'Base 2.1 §5.1.25.1.3',
    source: QEMU,
  },
  zeroDefaults: {
    does:
      'Volatile Write Cache and Asynchronous Event Configuration tell 0 as default and begin with another value, and ' +
      'defaults that are data are not sent',
    section: 'Base 2.1 §4.4',
    source: QEMU,
  },
  savesBeforeFeature: {
    does: 'SV is looked at before FID: a feature that is not there is Feature Identifier Not Saveable',
    section: 'Base 2.1 §5.1.25',
    source: QEMU,
  },
  keepsFeatures: {
    does: 'features without a buffer keep their values over resets',
    section: 'Base 2.1 §4.4',
    source: QEMU,
  },
  rawHostBehavior: {
    does: 'Host Behavior Support takes and returns any bytes and keeps them over resets',
    section: 'Base 2.1 §5.1.25.1.14',
    source: QEMU,
  },
  // ---- I/O commands and data ----
  namespaceFirst: {
    does: 'I/O commands are asked for their namespace before their opcode, and a refused FUSE is worth a retry (DNR 0)',
    section: 'Base 2.1 §4.1.1',
    source: QEMU,
  },
  ignoresReserved: {
    does: 'reserved bits of I/O commands, their flags included, may have any value',
    section: 'Base 2.1 §1.4.2',
    source: QEMU,
  },
  anyAlignment: {
    does: 'data and PRP lists begin at any byte',
    section: 'Base 2.1 §4.3.1',
    source: QEMU,
  },
  losesData: {
    does:
      'data that cannot be read are zeroes, data that cannot be written are lost, and an unreadable PRP list is not ' +
      'worth a retry (DNR 1)',
    section: 'Base 2.1 §4.3.1',
    source: QEMU,
  },
  takesLongBlock: {
    does: 'the last data block of an SGL may be longer than the data',
    section: 'Base 2.1 §4.3.2',
    source: QEMU,
  },
  ignoresRangeLimit: {
    does: 'DMRSL is told and not enforced, and Dataset Management is announced all the same',
    section: 'NVM Command Set 1.1 §4.1.5.3',
    source: QEMU,
  },
  keepsDeallocated: {
    does: 'deallocated blocks keep their data, although DLFEAT says that they read as zeroes',
    section: 'NVM Command Set 1.1 §3.3.3.2',
    source: `${QEMU}, of a drive without discard=unmap`,
  },
  passesOverRanges: {
    does: 'ranges to deallocate that end beyond the namespace are passed over',
    section: 'NVM Command Set 1.1 §3.3.3',
    source: QEMU,
  },
  ignoresHints: {
    does: 'Dataset Management without deallocation does not fetch its ranges',
    section: 'NVM Command Set 1.1 §3.3.3',
    source: QEMU,
  },
} as const satisfies Record<string, Quirk>;

export type QuirkName = keyof typeof QUIRKS;

/** Every quirk there is, in the order of the table. */
export const QUIRK_NAMES = Object.keys(QUIRKS) as QuirkName[];

/** Whether a personality has a quirk. Parts ask once, in their constructor. */
export const hasQuirk = (profile: { readonly quirks: readonly QuirkName[] }, name: QuirkName): boolean =>
  profile.quirks.includes(name);
