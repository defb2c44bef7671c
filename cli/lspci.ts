/**
 * `doorbell lspci`: the functions of a board as lspci lists them. The hexadecimal forms are what the real tool reads back:
 * `doorbell lspci -xxxx > dump; lspci -F dump -vvv`. Texts come from configuration space and from what firmware found.
 * Not here: decoding capabilities (the real lspci does that from the dump).
 */

import type { FoundFunction, Topology } from '../machine/pcie/enumerate.ts';
import { bdfText } from '../machine/pcie/spec.ts';
import { formatSize, hex } from '../support/numbers.ts';
import { UserError } from '../support/user-error.ts';
import type { AnyMachine } from './pace.ts';
import { className, deviceName } from './pci-names.ts';

export interface LspciOptions {
  /** Bytes of configuration space to print; 0 for none. */
  readonly hexBytes: number;
  /** Numbers: 0 names only, 1 numbers only, 2 both. */
  readonly numeric: 0 | 1 | 2;
  readonly tree: boolean;
  readonly verbose: boolean;
  /** `[[domain]:][bus]:[slot][.[function]]`; every part may be absent or `*`. */
  readonly slot: string | null;
}

const HEX_BYTES: Readonly<Record<number, number>> = { 1: 64, 2: 64, 3: 256, 4: 4096 };

/** Options from arguments such as `-nn -xxxx -s 01:`; short ones may be joined (`-tv`). Throws UserError. */
export function parseLspciOptions(argv: readonly string[]): LspciOptions {
  let [x, n, tree, verbose] = [0, 0, false, false];
  let slot: string | null = null;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    if (!/^-[xntvs]/.test(argument))
      throw new UserError(`lspci: unknown option "${argument}"; it takes -x -xxx -xxxx -n -nn -t -v -s SLOT`);
    for (let at = 1; at < argument.length; at++) {
      const letter = argument[at]!;
      if (letter === 'x') x++;
      else if (letter === 'n') n++;
      else if (letter === 't') tree = true;
      else if (letter === 'v') verbose = true;
      else if (letter === 's') {
        slot = argument.slice(at + 1) || argv[++index] || null;
        if (slot === null) throw new UserError('lspci: -s takes a slot such as 01:00.0');
        break;
      } else
        throw new UserError(
          `lspci: unknown option "-${letter}"; it takes -x -xxx -xxxx -n -nn -t -v -s SLOT`,
        );
    }
  }
  if (x > 4) throw new UserError('lspci: the longest dump is -xxxx');
  return { hexBytes: x === 0 ? 0 : HEX_BYTES[x]!, numeric: Math.min(n, 2) as 0 | 1 | 2, tree, verbose, slot };
}

/** The lines that lspci prints. Throws UserError for a slot that is none. */
export function lspci(machine: AnyMachine, options: LspciOptions): string[] {
  if (options.tree) return tree(machine.topology, options.verbose, options.numeric);
  const matches = slotFilter(options.slot);
  return flat(machine.topology)
    .filter(({ bdf }) => matches(bdf))
    .flatMap((fn) => [
      headLine(fn, options.numeric),
      ...(options.verbose ? detailLines(fn) : []),
      ...(options.hexBytes > 0 ? hexLines(machine, fn.bdf, options.hexBytes) : []),
      ...(options.verbose || options.hexBytes > 0 ? [''] : []),
    ]);
}

const flat = (functions: Topology): FoundFunction[] =>
  functions.flatMap((fn) => [fn, ...flat(fn.bridge?.children ?? [])]).sort((a, b) => a.bdf - b.bdf);

const hex4 = (value: number): string => value.toString(16).padStart(4, '0');
const hex2 = (value: number): string => value.toString(16).padStart(2, '0');

function headLine(fn: FoundFunction, numeric: 0 | 1 | 2): string {
  const code = hex4(fn.class >>> 8);
  const ids = `${hex4(fn.vendor)}:${hex4(fn.device)}`;
  const revision = fn.revision === 0 ? '' : ` (rev ${hex2(fn.revision)})`;
  const where = bdfText(fn.bdf);
  if (numeric === 1) return `${where} ${code}: ${ids}${revision}`;
  const [classText, deviceText] = [className(fn.class), deviceName(fn.vendor, fn.device)];
  if (numeric === 0) return `${where} ${classText}: ${deviceText}${revision}`;
  return `${where} ${classText} [${code}]: ${deviceText} [${ids}]${revision}`;
}

/** What a dump cannot tell: sizes of BARs, and the windows that firmware opened. */
function detailLines({ bars, bridge }: FoundFunction): string[] {
  const lines = bars.map(({ index, address, bytes, is64, prefetchable }) => {
    const kind = `${is64 ? '64' : '32'}-bit, ${prefetchable ? 'prefetchable' : 'non-prefetchable'}`;
    const size = formatSize(bytes).replace('iB', '');
    return `\tRegion ${index}: Memory at ${address.toString(16).padStart(8, '0')} (${kind}) [size=${size}]`;
  });
  if (bridge === null) return lines;
  const { secondary, subordinate, window } = bridge;
  lines.push(`\tBus: secondary=${hex2(secondary)}, subordinate=${hex2(subordinate)}`);
  if (window !== null) lines.push(`\tMemory behind bridge: ${hex(window.base, 8)}-${hex(window.limit, 8)}`);
  return lines;
}

function hexLines(machine: AnyMachine, bdf: number, bytes: number): string[] {
  const lines: string[] = [];
  for (let row = 0; row < bytes; row += 16) {
    const cells = Array.from({ length: 16 }, (_, column) =>
      hex2(machine.rootComplex.configRead(bdf >>> 8, bdf & 0xff, row + column, 1)),
    );
    lines.push(`${hex2(row)}: ${cells.join(' ')}`);
  }
  return lines;
}

function slotFilter(slot: string | null): (bdf: number) => boolean {
  if (slot === null) return () => true;
  const match =
    /^(?:(?:([0-9a-f]{1,4}|\*)?:)?([0-9a-f]{1,2}|\*)?:)?([0-9a-f]{1,2}|\*)?(?:\.([0-7]|\*)?)?$/i.exec(slot);
  if (match === null)
    throw new UserError(`lspci: "${slot}" is no slot; write [[domain]:][bus]:[slot][.[function]]`);
  const part = (index: number): number | null => {
    const text = match[index];
    return text === undefined || text === '*' ? null : Number.parseInt(text, 16);
  };
  const wanted = [part(1), part(2), part(3), part(4)];
  return (bdf) =>
    [0, bdf >>> 8, (bdf >>> 3) & 0x1f, bdf & 7].every((is, index) => (wanted[index] ?? is) === is);
}

// ---- the tree ---------------------------------------------------------------------------------------------------------

/** The tree of `lspci -t`: a branch goes on below the character that opened it. */
export function tree(topology: Topology, verbose: boolean, numeric: 0 | 1 | 2 = 0): string[] {
  const lines: string[] = [];
  let line = '-[0000:00]-';
  const print = (text: string): void => {
    lines.push(line + text);
  };
  const bus = (functions: Topology): void => {
    if (functions.length === 0) print('');
    const stem = line;
    for (const [index, fn] of functions.entries()) {
      const isOnly = functions.length === 1;
      const isLast = index === functions.length - 1;
      // All but the first line of a branch repeat only the strokes that lead further down.
      line =
        (index === 0 ? stem : stem.replace(/[^+|]/g, ' ').replaceAll('+', '|')) +
        (isOnly ? '--' : isLast ? '\\-' : '+-');
      one(fn);
    }
  };
  const one = (fn: FoundFunction): void => {
    const place = bdfText(fn.bdf).slice(3);
    if (fn.bridge === null) {
      print(
        place +
          (verbose
            ? `  ${numeric === 1 ? `${hex4(fn.vendor)}:${hex4(fn.device)}` : deviceName(fn.vendor, fn.device)}`
            : ''),
      );
      return;
    }
    const { secondary, subordinate, children } = fn.bridge;
    line += `${place}-[${hex2(secondary)}${secondary === subordinate ? '' : `-${hex2(subordinate)}`}]--`;
    bus(children);
  };
  bus(topology);
  return lines;
}
