/** The live state of a machine as a tree: functions, IOMMU, controllers, kernel. Looking changes nothing. */
import type { Machine } from '../../boards/index.ts';
import { bdfText, CONFIG } from '../../machine/pcie/spec.ts';
import type { NvmeController } from '../../nvme/controller.ts';
import { CC, CSTS, REG } from '../../nvme/spec/registers.ts';
import { ZONE, zoneStateName } from '../../nvme/spec/zones.ts';
import { hex } from '../../support/numbers.ts';
import { commands, condition, features, hostMemory, interrupts, memoryBuffer } from './drive.ts';
import { iommuTree } from './iommu.ts';
import { type Branch, yesOrNo } from './tree.ts';

/** IOVAs that `iommu/walk/BDF/IOVA` takes besides those in the IOTLB. */
export function machineTree(machine: Machine, iovas: readonly number[] = []): Branch {
  return {
    clock: `${machine.clock.now.toFixed(0)} ns`,
    board: machine.board.name,
    pci: () => functions(machine),
    iommu: () => iommuTree(machine, iovas),
    ...Object.fromEntries(machine.controllers.map((one) => [one.name, () => controller(one)])),
    kernel: () => ({ fds: fds(machine), dmesg: () => numbered(machine.kernel.dmesg.lines) }),
  };
}

const numbered = (texts: readonly string[]): Branch =>
  Object.fromEntries(texts.map((text, index) => [String(index), text]));

function functions(machine: Machine): Branch {
  const config = (bdf: number, offset: number, size: 1 | 2 | 4): string =>
    hex(machine.rootComplex.configRead(bdf >>> 8, bdf & 0xff, offset, size), 2 * size);
  const branch = (found: Machine['topology']): [string, Branch][] =>
    found.flatMap(({ bdf, bridge }) => [
      [
        bdfText(bdf),
        {
          id: `${config(bdf, CONFIG.VENDOR, 2)}:${config(bdf, CONFIG.DEVICE, 2)}`,
          command: config(bdf, CONFIG.COMMAND, 2),
          status: config(bdf, CONFIG.STATUS, 2),
          bar0: config(bdf, CONFIG.BAR0, 4),
        },
      ],
      ...(bridge === null ? [] : branch(bridge.children)),
    ]);
  return Object.fromEntries(branch(machine.topology));
}

function controller(one: NvmeController): Branch {
  const word = (offset: number): number => one.barRead32(0, offset) >>> 0;
  const fields = (of: Readonly<Record<string, number>>): Branch =>
    Object.fromEntries(Object.entries(of).map(([name, value]) => [name, String(value)]));
  return {
    bdf: bdfText(one.bdf),
    model: one.profile.model,
    registers: () =>
      Object.fromEntries(Object.entries(REG).map(([name, offset]) => [name, hex(word(offset), 8)])),
    CC: () => fields(CC.decode(word(REG.CC))),
    CSTS: () => fields(CSTS.decode(word(REG.CSTS))),
    sq: () => submissionQueues(one),
    cq: () => completionQueues(one),
    namespaces: () =>
      Object.fromEntries(
        one.namespaces
          .list('attached')
          .map(({ nsid, blocks, block_bytes }) => [String(nsid), `${blocks} blocks of ${block_bytes} bytes`]),
      ),
    zones: () => zonesOf(one),
    commands: () => commands(one),
    features: () => features(one),
    condition: () => condition(one),
    memoryBuffer: () => memoryBuffer(one),
    hostMemory: () => hostMemory(one),
    interrupts: () => interrupts(one),
    rejections: () => numbered(one.health.rejections),
  };
}

/** By namespace, the zones that are not empty. */
function zonesOf({ namespaces }: NvmeController): Branch {
  const zoned = namespaces.list('attached').filter((namespace) => namespace.zones !== null);
  return Object.fromEntries(
    zoned.map(({ nsid, zones }) => {
      const used = numbersTo(zones!.count).filter((zone) => zones!.state(zone) !== ZONE.EMPTY);
      const lines = used.map((zone) => {
        const written = zones!.pointer(zone) - zones!.start(zone);
        return [
          String(zone),
          `${zoneStateName(zones!.state(zone))}, ${written} of ${zones!.capacity} blocks written`,
        ];
      });
      return [String(nsid), Object.fromEntries(lines) as Branch];
    }),
  );
}

const numbersTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

function submissionQueues({ sqs }: NvmeController): Branch {
  return Object.fromEntries(
    numbersTo(sqs.count)
      .filter((qid) => sqs.exists(qid))
      .map((qid) => [
        String(qid),
        {
          iova: hex(sqs.base(qid)),
          entries: String(sqs.size(qid)),
          head: String(sqs.head(qid)),
          tail: String(sqs.tail(qid)),
          completes: `on CQ ${sqs.cqid(qid)}`,
        },
      ]),
  );
}

function completionQueues({ cqs }: NvmeController): Branch {
  return Object.fromEntries(
    numbersTo(cqs.count)
      .filter((qid) => cqs.exists(qid))
      .map((qid) => [
        String(qid),
        {
          iova: hex(cqs.base(qid)),
          entries: String(cqs.size(qid)),
          head: String(cqs.head(qid)),
          tail: String(cqs.tail(qid)),
          users: String(cqs.users(qid)),
          full: yesOrNo(cqs.isFull(qid)),
        },
      ]),
  );
}

function fds({ kernel }: Machine): Branch {
  const open = numbersTo(64).flatMap((fd) => {
    const file = kernel.files.get(fd);
    return file === null ? [] : [[String(fd), file.kind] as const];
  });
  return Object.fromEntries(open);
}
