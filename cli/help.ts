/** `doorbell help`: what each verb does and takes. */
import { suggestion } from '../support/nearest.ts';
import { UserError } from '../support/user-error.ts';

/** One verb: a line for the overview, and the page of `help VERB`. */
interface Page {
  readonly summary: string;
  readonly text: string;
}

const AFTER = '  --after JOB.fio     first run these jobs, so that there is something to see';
const BOARD =
  '  --board NAME|FILE   pc, workstation, zns, a device profile, or a .json, .js or .ts file of your own';

const OWN_BOARD = `import { deviceNamed, linkOf, pc } from 'doorbell/boards';
const profile = deviceNamed('990pro').controller;
const namespaces = [{ size: '64m' }, { size: '1g', block_bytes: 4096 }];
const device = { kind: 'nvme', serial: 'MINE0', profile, namespaces };
export default { ...pc, name: 'mine', ram: '512m', rootPorts: [{ at: '04.0', link: linkOf(4, 4), device }] };
`;

const JSON_BOARD = `{
  "name": "mine",
  "description": "a QEMU drive that takes data at any address",
  "ram": "512m",
  "media": "1g",
  "host": { "syscall_ns": 500 },
  "iommu": {},
  "rootPorts": [
    {
      "at": "04.0",
      "link": {
        "generation": 3, "lanes": 4, "maxPayload_bytes": 256, "readRequest_bytes": 512, "propagation_ns": 150
      },
      "device": {
        "kind": "nvme",
        "serial": "MINE0",
        "profile": { "base": "qemu", "quirks": ["anyAlignment"], "timing": { "fetch_ns": 900 } },
        "namespaces": [{ "size": "64m" }]
      }
    }
  ]
}
`;

export const PAGES: Readonly<Record<string, Page>> = {
  fio: {
    summary: 'run a fio job file on an emulated machine',
    text: `doorbell fio JOB.fio [OPTIONS]

Runs a fio job file: every I/O goes through the driver, the PCIe link, the IOMMU and the controller.
${BOARD}
  --pace PACE         timed (default): simulated time, as a real machine takes it; functional: no delays, host time;
                      threaded: as functional, with the hardware in threads of its own
  --workers W         at the threaded pace: shared (default), all drives in one thread; each, a thread for each drive
  --seed N            seed of everything that is left to chance; the same seed gives the same run (1)
  --output FILE       write the report there
  --output-format F   normal, terse, json, json+ (with histograms), or several separated by commas; keys are fio's
  --section NAME,...  only these jobs
  --stop-after TIME   end all jobs after exactly so much time and report what was done, as Ctrl-C does (status 128)
  --hostMemory        lend host memory to drives; they must ask for it (HMPRE). These three are options of the driver
  --shadowDoorbells   doorbells in memory (Doorbell Buffer Config); drives must offer them
  --timeout TIME      how long a command may take (30): then it is aborted, and if that does not help the controller is
                      reset; for the job it is an I/O error
  --in-memory         files that do not exist are held in memory instead of being made
  --record FILE       write down what the run was made of, and hashes of its trace
  --replay FILE       alone: do a recorded run again and say whether it is the same; status 1 when it is not
  --save FILE         keep the run in the middle, to go on with it later and elsewhere; it goes on here too
  --save-at TIME      with --save: after so much simulated time of the jobs
  --save-only         with --save: the run ends there, without a report
  --restore FILE      go on with a saved run; board, jobs and seed are in its file. The report, the logs and the recording
                      are those that the run would have had; image files must hold what they held when it was saved
  --overwrite-images  with --restore: image files that hold other data get back what they held; what they hold now is lost
  --parse-only        only check the job file and whether its jobs fit the board; silent about one without mistakes

docs/fio.md lists every key with what becomes of it, and which of fio's own examples run.
filename is a namespace (nvme0n1, /dev/nvme0n1) or the path of an image file; another device is an empty namespace that
stands for it. Jobs poll for completions; hipri=0 makes them wait for interrupts. With ioengine=psync and its kin the
depth is 1. Exit status: 1 when a job failed, 2 for a mistake in what was asked.`,
  },
  lspci: {
    summary: "list a board's PCI functions, or dump their configuration space",
    text: `doorbell lspci [OPTIONS]

  -n, -nn             numbers instead of names, or both
  -v                  also sizes of BARs and windows of bridges
  -x, -xxx, -xxxx     dump 64, 256 or 4096 bytes; the real tool reads it: lspci -F FILE -vvv
  -t, -tv             the tree, with names
  -s SLOT             only [[domain]:][bus]:[slot][.[function]]
${BOARD}`,
  },
  boards: {
    summary: 'list the boards that come with Doorbell',
    text: `doorbell boards [NAME|FILE] [--json]

Describes every board, or one, with its namespaces and its PCI tree; --json prints one whole, as a .json file may have it:
doorbell boards pc --json > mine.json. A board of your own is a .json file, or a module that
exports one; it is easiest to copy one that comes with Doorbell and change a line. Save this as mine.mjs:

${OWN_BOARD}
or this as mine.json:

${JSON_BOARD}
and say --board mine.mjs or mine.json wherever a verb takes a board. Its keys (sizes are bytes or texts such as 64m, times nanoseconds):
  name, description   texts
  ram, media          sizes: RAM, and room for what is written to namespaces without an image; together below 4 GiB;
                      a board has up to 16 MiB more room for each controller, and writes fail when it is used up
  host                what software and memory cost: store_ns, load_ns, syscall_ns, interrupt_ns, wakeup_ns and others;
                      in a file, what is absent is as in pc
  iommu               options of the VT-d unit, all of which may be absent: iotlbEntries, tableBits, cachingMode and others
  mmioBase            first address of BARs; may be absent
  rootPorts           a list of ports: { at: '04.0', link, device }
    link              linkOf(generation, lanes), or its keys: generation, lanes, maxPayload_bytes and others
    device            null, { kind: 'switch', ports } or { kind: 'nvme', serial, profile, namespaces }
      profile         of the controller; "doorbell profiles NAME" shows its knobs; deviceNamed(NAME).controller is one;
                      { base: NAME, ... } begins with a device, "generic" or "qemu" and names what differs: options,
                      absent, features, quirks (docs/fidelity.md)
      namespaces      a list of { size }; block_bytes, image, metadata, zones, readOnly, eui64 and others may be there
The whole of it, with a sentence for each key, is node_modules/doorbell/dist/boards/board.d.ts (boards/board.ts in a
checkout). All that cannot exist is refused at once, a line each: file, line, place and what would be possible. In a module
the line is that of the key, or of the nearest thing around it where a value is computed or imported.`,
  },
  scenario: {
    summary: 'run a scenario: a board, a program, what happens to it, and what is expected',
    text: `doorbell scenario [list | NAME | FILE.ts] [OPTIONS]

Lists the scenarios that come with Doorbell with what each teaches, or runs one of them, or one of your own: a module that
exports defineScenario({ name, teaches, settings, takes, board, events, program, expect }) from 'doorbell/scenario'; takes and
events may be absent. A .ts file needs tsx installed beside Doorbell (Node 20) and "type": "module", or the name .mts.
  --seed N            seed of everything that is left to chance; the same seed gives the same run (1)
  --set KEY=VALUE     change a setting; more than once for several
  --json              the result, or the list, as JSON
Exit status: 1 when an expectation does not hold, 2 for a mistake in what was asked.`,
  },
  profiles: {
    summary: 'list the device profiles, or every knob of one with where it comes from',
    text: `doorbell profiles [NAME...]

Without a name: the devices whose timing comes with Doorbell. With one: every knob of its controller, medium, link and
host by name, in nanoseconds or bytes, and the source of each. A board uses one as controller and link of a port.`,
  },
  calibrate: {
    summary: 'measure the device profiles and compare them with published figures',
    text: `doorbell calibrate [NAME...] [--seed N]

Runs fio jobs on a board with each device alone and prints profile, published figure, ours and the error.
Exit status: 1 when a published figure is missed by more than 10 %, 2 for a mistake in what was asked.`,
  },
  conformance: {
    summary: 'compare the emulated kernel with the recorded answers of a real one',
    text: `doorbell conformance [DIR] [OPTIONS]

Runs every case of every .json file in DIR (../shared/conformance, or the copy in test/ where that is missing) on the
machine of the recordings, and prints a line for each case with the first answer that is another one.
  --case NAME         only this case; those before it in its file run too, because they may have written to the disk
  -v                  a line for every case, and the system calls of those that fail
Exit status: 1 when a case failed, 2 for a mistake in what was asked.`,
  },
  'first-light': {
    summary: 'boot a machine, read a file system through it, and measure it',
    text: `doorbell first-light [--pace PACE] [--seed N]

Boots the board pc with an ext4 image, shows the driver's first system calls and the device tree, reads the image through
the driver and compares it with the file, runs scenarios/first-light.fio and shows where the time of a read went.
  --pace PACE         timed (default), functional or threaded; only simulated time is broken down into parts`,
  },
  trace: {
    summary: 'run a fio job and write all that happened as a trace for ui.perfetto.dev',
    text: `doorbell trace JOB.fio [OPTIONS]

Runs a fio job file at the timed pace and writes a timeline of simulated time: a track for each driver slot, system calls,
page walks and IOMMU faults, commands in the controller's queues, interrupts; one flow for each command.
  -o, --output FILE   where to (the job's name with .perfetto-trace)
  --format FORMAT     perfetto (default): TrackEvent protobuf; json: Chrome trace events, a line each
  --seed N            as for fio
${BOARD}`,
  },
  nvme: {
    summary: 'show what a drive says of itself, in the layout of nvme-cli',
    text: `doorbell nvme VERB [DRIVE] [OPTIONS]

  list                the namespaces of all drives
  id-ctrl, id-ns      the Identify structures (-n NSID, or nvme0n1 as DRIVE)
  smart-log           the SMART log
  error-log           the error log (-e ENTRIES)
  show-regs           the registers (-H: their fields too)
  get-feature -f FID  a feature's value, and its data (-H: its fields; -s 1 the default, 2 the saved one, 3 what can be done)
DRIVE is nvme0, nvme0n1 or the same with /dev/ in front (nvme0).
${AFTER}
  --seed N            as for fio
${BOARD}`,
  },
  sweep: {
    summary: 'run a job file over a grid of boards, keys and seeds, on all cores or many machines',
    text: `doorbell sweep JOB.fio [OPTIONS]

  --vary KEY=VALUES   a key of every job and its values: iodepth=1,2,4 or iodepth=1..32 (each twice the one before); may be repeated
  --boards LIST       boards by name or file, with commas between them (pc)
  --seeds LIST        1..5 or 1,7 (1)
  -o, --output FOLDER where results go (the job's name with .sweep); a sweep that was interrupted goes on there
  --report FILE       make an HTML report of the results too, as "doorbell report" does
  --threads N         on this machine (all cores)
  --queue redis://…   hand the runs to the workers of a queue instead; needs bullmq and ioredis installed
FOLDER/results.json is the same for the same grid, wherever its runs were done.`,
  },
  worker: {
    summary: 'do runs that sweeps on other machines have queued',
    text: `doorbell worker --queue redis://HOST:PORT [OPTIONS]

  --threads N         runs at one time (all cores)
Stops after its current runs when it is interrupted. Runs of a worker that dies go to others.`,
  },
  report: {
    summary: 'show the results of sweeps as one HTML file with charts',
    text: `doorbell report FOLDER… [OPTIONS]

Latency CDFs, IOPS over time, IOPS and latency over the first key that was varied, where the time of the median I/O went
(runs of depth 1), and the table. The page needs no network.
  -o, --output FILE   (report.html)
  --title TEXT        (the folders)`,
  },
  inspect: {
    summary: 'show the live state of a machine as a tree: registers, rings, IOTLB, page walks',
    text: `doorbell inspect [PATH] [OPTIONS]

PATH leads into the tree; without one, everything:
  nvme0/registers, /sq/0, /cq/0, /commands (in flight), /features, /interrupts (MSI-X), /memoryBuffer, /hostMemory, …
  iommu/registers, /iotlb, /walk/01:00.0/0x2000, /interrupts (remapping table), /invalidations (the ring), /faults
  pci, kernel/fds, kernel/dmesg
I/O queues (nvme0/sq/1) are there with --after. The moment is when the driver has brought its drive up, or that of --at.
${AFTER}
  --at TIME           so long after their first I/O command reached a controller: 500ns, 20us, 1.5ms (0ns)
  --json              as JSON
  --seed N            as for fio
${BOARD}`,
  },
  dmesg: {
    summary: "print the emulated kernel's log",
    text: `doorbell dmesg [OPTIONS]

${AFTER}
  --seed N            as for fio
${BOARD}`,
  },
  help: {
    summary: 'this text, or that of one verb',
    text: 'doorbell help [VERB]',
  },
};

/** The overview, or the page of a verb. Throws UserError for a verb that is none. */
export function help(verb?: string): string {
  if (verb !== undefined) {
    const page = PAGES[verb];
    if (page === undefined) throw unknownVerb(verb);
    return page.text;
  }
  const width = Math.max(...Object.keys(PAGES).map((name) => name.length));
  const verbs = Object.entries(PAGES).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return ['doorbell: a whole emulated machine for people who write drivers', '', ...verbs].join('\n');
}

/** The error for a verb that there is not: names the nearest one, or all. */
export function unknownVerb(verb: string): UserError {
  const verbs = Object.keys(PAGES);
  return new UserError(
    `unknown verb "${verb}"${suggestion(verb, verbs) || `; there are ${verbs.join(', ')}`}`,
  );
}
