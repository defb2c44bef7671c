/**
 * What the tree shows of a drive besides its registers and queues: commands, features, temperature and power state, its
 * own and the host's memory with the pages of the map that are there, and how it interrupts. Looking changes nothing. Not here: the rest (machine.ts).
 */
import { INTERRUPT_ADDRESS } from '../../iommu/spec/structures.ts';
import { MSI_BASE } from '../../machine/interrupts.ts';
import { CAPABILITY, MSI_CONTROL, MSIX, MSIX_CONTROL, MSIX_ENTRY } from '../../machine/pcie/spec.ts';
import type { NvmeController } from '../../nvme/controller.ts';
import { BUFFER_BAR } from '../../nvme/memory-buffer.ts';
import { CDW0, opcodeName, SQE } from '../../nvme/spec/commands.ts';
import { FEATURE_SELECT, FEATURES } from '../../nvme/spec/features.ts';
import { CMBMSC, CMBSTS, REG } from '../../nvme/spec/registers.ts';
import { hex, u64 } from '../../support/numbers.ts';
import { type Branch, yesOrNo } from './tree.ts';

/** Temperature, power state, and what they do to the speed of commands. */
export function condition({ health }: NvmeController): Branch {
  const { temperature_K, state, isAsleep, slowness, spare_percent } = health.condition;
  return {
    temperature: `${temperature_K} K`,
    'power state': String(state),
    asleep: yesOrNo(isAsleep),
    'medium takes': `${slowness} times as long as at its fastest`,
    spare: `${spare_percent} %`,
  };
}

/** Commands that were fetched and not completed yet. */
export function commands({ health: { slots } }: NvmeController): Branch {
  const busy = Array.from({ length: slots.count }, (_, slot) => slot).filter((slot) => slots.isBusy(slot));
  const texts = busy.map((slot) => {
    const sqid = slots.sqid(slot);
    const word = (offset: number): number => slots.dword(slot, offset);
    const blocks = sqid === 0 ? '' : `, block ${u64(word(SQE.CDW10), word(SQE.CDW11))}`;
    const data = u64(word(SQE.PRP1), word(SQE.PRP1 + 4));
    const name = opcodeName(sqid === 0, CDW0.OPC.get(word(SQE.OPC)));
    return [
      `SQ ${sqid} CID ${slots.cid(slot)}`,
      `${name}, NSID ${hex(word(SQE.NSID))}${blocks}, PRP1 ${hex(data)}`,
    ] as const;
  });
  return Object.fromEntries(texts);
}

/** Current values of the features that are no list; those of namespaces and vectors by number. */
export function features({ admin, namespaces }: NvmeController): Branch {
  const attached = namespaces.list('attached').map(({ nsid }) => nsid);
  const entries = admin.features.supported.flatMap((fid): [string, string | Branch][] => {
    const values = admin.features.values(fid);
    const name = `${hex(fid, 2)} ${FEATURES[fid]!.name}`;
    if (values === undefined) return [];
    const value = (index: number): string => hex(values.get(index), 8);
    if (values.count === 1) return [[name, value(0)]];
    const isOfNamespace = FEATURES[fid]!.scope === 'namespace';
    const numbers = isOfNamespace ? attached : Array.from({ length: values.count }, (_, index) => index);
    const isShown = (index: number): boolean =>
      isOfNamespace || values.get(index) !== values.get(index, FEATURE_SELECT.DEFAULT);
    const what = isOfNamespace ? 'namespace' : 'number';
    const shown = numbers.filter(isShown).map((index) => [`${what} ${index}`, value(index)]);
    return [[name, shown.length === 0 ? 'defaults' : Object.fromEntries(shown)]];
  });
  return Object.fromEntries(entries);
}

/** The controller memory buffer: whether the host uses it, and where it has it. */
export function memoryBuffer(one: NvmeController): Branch {
  const bytes = one.profile.memoryBuffer_bytes;
  if (bytes === 0) return { size: 'none' };
  const word = (offset: number): number => one.barRead32(0, offset) >>> 0;
  const { CRE, CMSE } = CMBMSC.decode(word(REG.CMBMSC));
  const base = u64(word(REG.CMBMSC) & CMBMSC.CBA.mask, word(REG.CMBMSC_HI));
  return {
    size: `${bytes} bytes, in BAR ${BUFFER_BAR}`,
    'registers enabled': yesOrNo(CRE === 1),
    'by DMA': CMSE === 1 ? `at ${hex(base)}` : 'not enabled',
    'base invalid': yesOrNo(CMBSTS.CBAI.get(word(REG.CMBSTS)) === 1),
  };
}

/** The host memory buffer, and where pages of the mapping table are and were found. */
export function hostMemory({ admin, health }: NvmeController): Branch {
  const { hostMemory: feature } = admin.features;
  const { hostMap } = admin;
  if (feature === null) return { enabled: 'never: the controller has no use for it' };
  const enabled = yesOrNo(feature.value !== 0);
  if (hostMap === null) return { enabled, map: 'all of it is in the controller' };
  const { controller, host, medium } = health.lookups;
  return {
    enabled,
    lookups: { controller: String(controller), host: String(host), medium: String(medium) },
    pieces: () =>
      Object.fromEntries(
        hostMap.pieces.map(({ address, bytes }, index) => [
          String(index),
          `${bytes} bytes at IOVA ${hex(address)}`,
        ]),
      ),
    map: () =>
      Object.fromEntries(
        hostMap.stored.map(({ page, address }) => [`page ${page}`, `at IOVA ${hex(address)}`]),
      ),
  };
}

/** How the controller interrupts, and the vectors of MSI-X that were ever written or are pending. */
export function interrupts(one: NvmeController): Branch {
  const { config } = one;
  const msixAt = config.findCapability(CAPABILITY.MSIX);
  const msiAt = config.findCapability(CAPABILITY.MSI);
  const control = config.half(msixAt + MSIX.CONTROL);
  const usesMsix = MSIX_CONTROL.ENABLE.get(control) === 1;
  const usesMsi = msiAt !== 0 && MSI_CONTROL.ENABLE.get(config.half(msiAt + 2)) === 1;
  return {
    by: usesMsix ? 'MSI-X' : usesMsi ? 'MSI' : 'the pin',
    INTMS: hex(one.barRead32(0, REG.INTMS) >>> 0, 8),
    'all masked': yesOrNo(MSIX_CONTROL.FUNCTION_MASK.get(control) === 1),
    vectors: () => vectors(one, MSIX_CONTROL.TABLE_SIZE.get(control) + 1),
  };
}

function vectors(one: NvmeController, count: number): Branch {
  const { msixTable, msixPba } = one.profile;
  const used: [string, string][] = [];
  for (let vector = 0; vector < count; vector++) {
    const word = (at: number): number => one.barRead32(0, msixTable + vector * MSIX_ENTRY.SIZE + at) >>> 0;
    const isPending = ((one.barRead32(0, msixPba + 4 * (vector >>> 5)) >>> (vector & 31)) & 1) === 1;
    const address = u64(word(MSIX_ENTRY.ADDRESS), word(MSIX_ENTRY.ADDRESS_HI));
    if (address === 0 && !isPending) continue;
    const state = `${word(MSIX_ENTRY.CONTROL) === 0 ? '' : ', masked'}${isPending ? ', pending' : ''}`;
    used.push([
      String(vector),
      `${hex(word(MSIX_ENTRY.DATA), 4)} to ${hex(address, 8)}${remapped(address)}${state}`,
    ]);
  }
  return Object.fromEntries(used);
}

/** A message in remappable format names an entry of the IOMMU's table (VT-d 4.1 §5.1.2.2). */
function remapped(address: number): string {
  if (address < MSI_BASE || INTERRUPT_ADDRESS.FORMAT.get(address) === 0) return '';
  const { HANDLE, HANDLE_HIGH } = INTERRUPT_ADDRESS.decode(address);
  return ` (entry ${HANDLE | (HANDLE_HIGH << 15)} of iommu/interrupts)`;
}
