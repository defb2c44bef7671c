/** Runs that are saved: small ones, each with state that others have not. For fio-save.test.ts. */

import { samsung970pro } from '../../boards/devices/samsung-970pro.ts';
import {
  type Board,
  type Machine,
  type NamespaceBoard,
  type NvmeBoard,
  pc,
  workstation,
} from '../../boards/index.ts';
import { NO_ADMIN_OPTION } from '../../nvme/admin/profile.ts';
import { EVERY_POWER_STATE } from '../../nvme/condition/profile.ts';

const drive = pc.rootPorts[0]!.device as NvmeBoard;

/** A board with little memory, so that little is to be saved. */
export function small(namespace: Partial<NamespaceBoard> = {}, profile = drive.profile): Board {
  const device = { ...drive, profile, namespaces: [{ size: '6m', ...namespace }] };
  return { ...pc, ram: '16m', media: '12m', rootPorts: [{ ...pc.rootPorts[0]!, device }] };
}

/** The same with chance in everything that can have some. */
function jittery(): Board {
  const { timing } = drive.profile;
  const board = small({}, { ...drive.profile, timing: { ...timing!, firmwareJitter_ns: 200 } });
  const [port] = board.rootPorts;
  const link = { ...port!.link, jitter_ns: 50 };
  return { ...board, host: { ...board.host, interruptJitter_ns: 300 }, rootPorts: [{ ...port!, link }] };
}

/** Two controllers of one drive. */
export function joined(): Board {
  const admin = { ...NO_ADMIN_OPTION, writeProtection: true };
  const board = small({}, { ...drive.profile, admin, dirty_bytes: 0 });
  const [port] = board.rootPorts;
  const first = port!.device as NvmeBoard;
  const device = { ...first, namespaces: [], joins: true };
  return { ...board, rootPorts: [port!, { ...port!, at: '05.0', device }] };
}

/** It cools while a job runs, and gets slow where that takes it too long. */
const COOLING = { ...EVERY_POWER_STATE, settling_ns: 100e3 };

export interface Case {
  readonly job: string;
  readonly board: Board;
  /** Simulated time at which it is saved. */
  readonly at_ns: number;
  /** Done to the machine before its jobs begin. */
  readonly prepare?: (machine: Machine) => void;
}

const global = '[global]\nsize=2m\nbs=4k\niodepth=8\n';
/** Four drives, three of them behind a switch. */
export const FOUR = { ...workstation, ram: '16m', media: '64m' };

/** One of each thing that has state. */
export const CASES: Readonly<Record<string, Case>> = {
  'interrupts and a log of every I/O': {
    job: `${global}hipri=0\n[a]\nrw=randrw\nsize=128k\nwrite_lat_log=x\nwrite_bw_log=x`,
    board: jittery(),
    at_ns: 40e3,
  },
  'polling, depth 1, averaged logs': {
    job: `${global}[a]\nrw=randread\niodepth=1\nsize=128k\nwrite_iops_log=x\nlog_avg_msec=1`,
    board: small(),
    at_ns: 150e3,
  },
  'garbage collection': {
    job: `${global}[a]\nrw=randwrite\nbs=16k\nsize=2m\nio_size=5m\nnorandommap`,
    board: small({ size: '2m' }, samsung970pro.controller),
    at_ns: 1.5e6,
  },
  'verification as it goes': {
    job: `${global}[a]\nrw=randwrite\nsize=128k\nverify=crc32c\nverify_backlog=16`,
    board: small(),
    at_ns: 60e3,
  },
  'verification at the end': {
    job: `${global}[a]\nrw=randwrite\nsize=64k\nverify=pattern\nverify_pattern=0xabcd%o\nloops=2`,
    board: small(),
    at_ns: 75e3,
  },
  'rates, thinking and a Poisson process': {
    job: `${global}[a]\nrw=randrw\nsize=256k\nrate_iops=20000,10000\nrate_process=poisson\nthinktime=50\nthinktime_blocks=8\n[b]\nrw=read\nsize=128k\noffset=4m\nrate=20m\nrate_iops_min=10`,
    board: small(),
    at_ns: 2e6,
  },
  'a second stage, clones, groups and logs of the first': {
    job: `${global}size=64k\nhipri=0\ngroup_reporting\n[a]\nrw=write\nnumjobs=2\noffset_increment=1m\nwrite_lat_log=x\n[b]\nstonewall\nrw=randread\nnumjobs=2\nsize=128k\n[c]\nwait_for=b\nrw=write\nfsync=4`,
    board: small(),
    at_ns: 150e3,
  },
  'flows and distributions': {
    job: `${global}random_distribution=zipf:1.2\n[a]\nrw=randread\nflow=3\nsize=128k\n[b]\nrw=randwrite:4\nflow=1\nrandom_distribution=normal:10\nsize=64k`,
    board: small(),
    at_ns: 50e3,
  },
  'drives behind a switch': {
    job: `${global}size=64k\n[a]\nrw=randwrite\nfilename=nvme0n1\n[b]\nrw=randrw\nfilename=nvme2n1\n[c]\nrw=read\nfilename=nvme3n1`,
    board: FOUR,
    at_ns: 25e3,
  },
  'two controllers of a drive': {
    job: `${global}size=128k\n[a]\nrw=randrw\nfilename=nvme0n1\n[b]\nrw=randrw\nfilename=nvme1n1\nhipri=0`,
    board: joined(),
    at_ns: 60e3,
  },
  'trims before writes, strided zones': {
    job: `${global}[a]\nrw=randtrimwrite\nsize=256k\n[b]\nrw=read\noffset=4m\nsize=256k\nzonemode=strided\nzonesize=16k\nzonerange=64k`,
    board: small({ tracksBlocks: true }),
    at_ns: 250e3,
  },
  'a zoned namespace': {
    job: `${global}zonemode=zbd\n[a]\nrw=randwrite\nsize=2m\nio_size=512k\nbs=16k\nmax_open_zones=2\nzone_reset_threshold=.1\nzone_reset_frequency=.5\n[b]\nstonewall\nrw=randrw\nsize=2m\nio_size=384k`,
    board: small({ zones: { zone: '256k', maxActive: 4, maxOpen: 2 } }),
    at_ns: 700e3,
  },
  'metadata that the job does not give': {
    job: `${global}[a]\nrw=randrw\nsize=128k\ncontinue_on_error=all`,
    board: small({ block_bytes: 4096, metadata: { bytes: 8, isExtended: false } }),
    at_ns: 60e3,
  },
  'a write cache that power cuts empty': {
    job: `${global}[a]\nrw=randwrite\nsize=256k\nfsync=16`,
    board: small({}, { ...drive.profile, dirty_bytes: 262_144 }),
    at_ns: 70e3,
  },
  'a ramp, a latency target and a time to stop': {
    job: `${global}[a]\nrw=randread\nramp_time=200us\nruntime=600us\ntime_based\nlatency_target=100us\nlatency_window=100us\niodepth=16`,
    board: small(),
    at_ns: 450e3,
  },
  'a rate that becomes steady': {
    job: '[a]\nrw=randread\nsize=2m\nrate_iops=50\ntime_based\nruntime=4s\nss=iops:5%\nss_dur=2s',
    board: small(),
    at_ns: 1.2e9,
  },
  'a map that the drive has no room for, and a drive that cools': {
    job: `${global}[a]\nrw=randread\nsize=6m\nio_size=192k`,
    board: small({}, { ...drive.profile, map: { cachedPages: 1 }, power: COOLING }),
    at_ns: 60e3,
    prepare: (machine) => {
      machine.controllers[0]!.health.condition.temperature_K = 380;
    },
  },
  'bad blocks, weak blocks, a slow link': {
    job: `${global}[a]\nrw=randread\nsize=256k\ncontinue_on_error=all\n[b]\nrw=randread\nsize=1m\nio_size=128k\nhipri=0`,
    board: small(),
    at_ns: 500e3,
    prepare: (machine) => {
      const namespace = machine.controllers[0]!.namespace(1)!;
      namespace.setUncorrectable(40, 8, true);
      namespace.setUncorrectable(800, 16, true);
      namespace.weaken(400, 300, 80_000);
      machine.controllers[0]!.dma!.link.retrain(1, 1, 1000);
    },
  },
};
