/** `nvme list` in nvme-cli's layout (2.3): a line for each namespace of each drive. */
import type { NvmeDriver } from '../../drivers/nvme/index.ts';

/** Widths of the columns. */
const COLUMNS = [
  ['Node', 21],
  ['Generic', 21],
  ['SN', 20],
  ['Model', 40],
  ['Namespace', 9],
  ['Usage', 26],
  ['Format', 16],
  ['FW Rev', 8],
] as const;

const row = (cells: readonly string[]): string =>
  COLUMNS.map(([, width], column) => cells[column]!.padEnd(width)).join(' ');

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P'] as const;

/** `268.44  MB`, with a space in place of a missing prefix. */
function size(bytes: number, digits: number): string {
  let power = 0;
  while (bytes / 1000 ** power >= 1000 && power < PREFIXES.length - 1) power++;
  const number = (bytes / 1000 ** power).toFixed(digits);
  return `${number.padStart(digits === 0 ? 3 : 6)} ${PREFIXES[power]!.padStart(2)}B`;
}

/** Blocks are shown in units of 1024 where they fill them. */
function blockSize(bytes: number): string {
  const isWhole = bytes >= 1024 && bytes % 1024 === 0;
  return isWhole ? `${String(bytes / 1024).padStart(3)} KiB` : `${String(bytes).padStart(3)}   B`;
}

/** `drivers` are open, in the order of their numbers. */
export function list(drivers: readonly NvmeDriver[]): string[] {
  const rows = drivers.flatMap((driver, drive) =>
    driver.namespaces.map((namespace) => {
      const { nsid, bytes, blockSize: block } = namespace;
      const { serial, model, firmware } = driver.info;
      const usage = size(bytes, 2);
      return row([
        `/dev/nvme${drive}n${nsid}`,
        `/dev/ng${drive}n${nsid}`,
        serial,
        model,
        String(nsid),
        `${usage} / ${usage}`,
        `${blockSize(block)} +  0 B`,
        firmware,
      ]);
    }),
  );
  return [
    row(COLUMNS.map(([name]) => name)),
    COLUMNS.map(([, width]) => '-'.repeat(width)).join(' '),
    ...rows,
  ];
}
