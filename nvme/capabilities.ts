/**
 * What a profile makes of the controller's fixed registers and of its configuration space, and which configurations it
 * refuses to be enabled with (Base 2.1 §3.1.4, §3.5.1). Pure.
 * Not here: the registers that change (controller.ts), impossible profiles (profile.ts).
 */
import { configSpace, type MsiDescription, type PcieDescription } from '../machine/pcie/capabilities.ts';
import type { BarDescription, ConfigSpace } from '../machine/pcie/config-space.ts';
import { CLASS } from '../machine/pcie/spec.ts';
import { hex } from '../support/numbers.ts';
import { BUFFER_BAR, bufferBar_bytes } from './memory-buffer.ts';
import type { ControllerProfile } from './profile.ts';
import { hasQuirk } from './quirks.ts';
import { CQES, SQES } from './spec/commands.ts';
import { AMS, AQA, CAP_AMS, CAP_CRMS, CAP_CSS, CAP_HI, CAP_LO, CC, CRTO, CSS } from './spec/registers.ts';

const PAGE = 4096;

export const capLow = (profile: ControllerProfile): number =>
  CAP_LO.encode({
    MQES: profile.maxQueueEntries - 1,
    CQR: 1,
    AMS: profile.weightedArbitration ? CAP_AMS.WEIGHTED_ROUND_ROBIN : 0,
    TO: profile.timeout,
  });

export const capHigh = (profile: ControllerProfile): number =>
  CAP_HI.encode({
    DSTRD: profile.doorbellStride,
    NSSRS: profile.subsystemReset ? 1 : 0,
    CSS: profile.commandSets,
    MPSMIN: profile.pageMin,
    MPSMAX: profile.pageMax,
    CMBS: profile.memoryBuffer_bytes > 0 ? 1 : 0,
    CRMS: profile.readyModes,
  });

export const isReadyWithoutMedia = ({ readyModes }: ControllerProfile): boolean =>
  (readyModes & CAP_CRMS.READY_INDEPENDENT_OF_MEDIA) !== 0;

/** CRTO: both timeouts are CAP.TO, in its units; before CAP.CRMS there is no such register. */
export const readyTimeouts = (profile: ControllerProfile): number =>
  CRTO.encode({
    CRWMT: profile.readyModes === 0 ? 0 : profile.timeout,
    CRIMT: isReadyWithoutMedia(profile) ? profile.timeout : 0,
  });

/** The bits of CC that can be written: those that stand still while EN is 1, and all of them. */
export const fixedConfiguration = (profile: ControllerProfile): number =>
  CC.CSS.mask | CC.MPS.mask | CC.AMS.mask | (isReadyWithoutMedia(profile) ? CC.CRIME.mask : 0);
export const knownConfiguration = (profile: ControllerProfile): number =>
  (fixedConfiguration(profile) | CC.EN.mask | CC.SHN.mask | CC.IOSQES.mask | CC.IOCQES.mask) >>> 0;

/** The registers that say how the controller is to be enabled. */
export interface Configuration {
  readonly cc: number;
  readonly aqa: number;
  readonly asq: number;
  readonly acq: number;
}

/** Why the controller cannot be enabled like this, or null. */
export function configurationProblem(profile: ControllerProfile, registers: Configuration): string | null {
  const { CSS: css, MPS: mps, AMS: ams, IOSQES: iosqes, IOCQES: iocqes } = CC.decode(registers.cc);
  if ((commandSetBit(css) & profile.commandSets) === 0) return `CC.CSS ${css} is not among CAP.CSS`;
  const isWeighted = ams === AMS.WEIGHTED_ROUND_ROBIN && profile.weightedArbitration;
  if (ams !== AMS.ROUND_ROBIN && !isWeighted && !hasQuirk(profile, 'takesAnyArbitration'))
    return `CC.AMS ${ams} is not among CAP.AMS`;
  if (mps < profile.pageMin || mps > profile.pageMax) {
    return `CC.MPS ${mps} is outside CAP.MPSMIN ${profile.pageMin} to CAP.MPSMAX ${profile.pageMax}`;
  }
  const { ASQS, ACQS } = AQA.decode(registers.aqa);
  if (ASQS === 0) return 'AQA.ASQS is 0: the admin submission queue needs at least 2 entries';
  if (ACQS === 0) return 'AQA.ACQS is 0: the admin completion queue needs at least 2 entries';
  const page = PAGE << mps;
  const isMisaligned = (address: number) => (address & (page - 1)) !== 0;
  if (isMisaligned(registers.asq)) return `ASQ ${hex(registers.asq)} is not aligned to the page size ${page}`;
  if (isMisaligned(registers.acq)) return `ACQ ${hex(registers.acq)} is not aligned to the page size ${page}`;
  if (hasQuirk(profile, 'entrySizesAtEnable') && (iosqes !== SQES || iocqes !== CQES))
    return `CC.IOSQES ${iosqes} and CC.IOCQES ${iocqes} are not ${SQES} and ${CQES}`;
  if (iosqes > SQES) return `CC.IOSQES ${iosqes} is larger than ${SQES}`;
  if (iocqes > CQES) return `CC.IOCQES ${iocqes} is larger than ${CQES}`;
  return null;
}

/** The bit of CAP.CSS that allows a value of CC.CSS; 0 for reserved ones. */
function commandSetBit(css: number): number {
  if (css === CSS.NVM) return CAP_CSS.NVM;
  if (css === CSS.ALL) return CAP_CSS.IO_COMMAND_SETS;
  return css === CSS.ADMIN_ONLY ? CAP_CSS.ADMIN_ONLY : 0;
}

const msiCapability = ({ msiVectors: vectors }: ControllerProfile): MsiDescription[] =>
  vectors === 0 ? [] : [{ kind: 'msi', offset: 0xc0, vectors }];

const bufferBar = ({ memoryBuffer_bytes }: ControllerProfile): BarDescription[] =>
  memoryBuffer_bytes === 0
    ? []
    : [{ index: BUFFER_BAR, bytes: bufferBar_bytes(memoryBuffer_bytes), is64: true, prefetchable: true }];

/** The function's configuration space: registers in BAR0 and the memory buffer in BAR2, MSI-X, MSI, PCI Express with function level reset, power management. */
export function describeFunction(profile: ControllerProfile, link: PcieDescription['link']): ConfigSpace {
  const { vendor, device, revision, subsystemVendor, subsystem } = profile;
  const { bar_bytes: bytes, msixVectors: vectors, msixTable, msixPba } = profile;
  return configSpace({
    vendor,
    device,
    revision,
    class: CLASS.NVME,
    subsystemVendor,
    subsystem,
    interruptPin: 1,
    ...(hasQuirk(profile, 'memoryInConfiguration') && { scratch: true, parityHardwired: true }),
    bars: [{ index: 0, bytes, is64: true, prefetchable: false }, ...bufferBar(profile)],
    capabilities: [
      {
        kind: 'msix',
        offset: 0x40,
        vectors,
        table: { bar: 0, offset: msixTable },
        pba: { bar: 0, offset: msixPba },
      },
      {
        kind: 'pcie',
        offset: 0x80,
        port: 'ENDPOINT',
        link,
        flr: true,
        maxPayload_bytes: 256,
        ...profile.pcie,
      },
      { kind: 'powerManagement', offset: 0x60, noSoftReset: true },
      ...msiCapability(profile),
    ],
  });
}
