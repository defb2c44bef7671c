/**
 * What the tree shows of a drive besides its registers and queues: temperature and power state, host memory with the
 * pages of the map that are there, and how it interrupts. Looking changes nothing. Not here: the rest (machine.ts).
 */
import { CAPABILITY, MSI_CONTROL, MSIX, MSIX_CONTROL, MSIX_ENTRY } from '../../machine/pcie/spec.ts';
import type { NvmeController } from '../../nvme/controller.ts';
import { REG } from '../../nvme/spec/registers.ts';
import { hex, u64 } from '../../support/numbers.ts';
import type { Branch } from './tree.ts';

const yesOrNo = (is: boolean): string => (is ? 'yes' : 'no');

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
    used.push([String(vector), `${hex(word(MSIX_ENTRY.DATA), 4)} to ${hex(address, 8)}${state}`]);
  }
  return Object.fromEntries(used);
}
