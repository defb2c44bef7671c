/**
 * How the texts of options are read: one builder per kind of value. A rule stores the value and returns null, or
 * returns why the text is refused, to be read behind the key. Not here: which key has which rule (keys.ts).
 */
import { suggestion } from '../../support/nearest.ts';
import { formatSize, parseSize } from '../../support/numbers.ts';
import type { Amount, JobOptions, SizeChoice, Triple } from './options.ts';

/** Reads a text into the options; returns why it is refused, or null. A flag without `=value` has an empty text. */
export type OptionRule = (options: JobOptions, text: string) => string | null;

/** Keys of JobOptions whose value is a `Type`. */
type KeysOf<Type> = {
  [Key in keyof JobOptions]: JobOptions[Key] extends Type
    ? Type extends JobOptions[Key]
      ? Key
      : never
    : never;
}[keyof JobOptions];
type TextKey = KeysOf<string> | KeysOf<string | null>;

const wholeNumber = (text: string): number => (/^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN);

export const integer = (key: KeysOf<number>, low: number, high: number): OptionRule => {
  return (options, text) => {
    const value = wholeNumber(text);
    if (!(value >= low && value <= high)) return `takes a whole number from ${low} to ${high}`;
    options[key] = value;
    return null;
  };
};

export const flag = (key: KeysOf<boolean>): OptionRule => {
  return (options, text) => {
    if (!/^[01]?$/.test(text)) return 'takes 0 or 1';
    options[key] = text !== '0';
    return null;
  };
};

export const choice = (key: KeysOf<string> | 'verify', choices: readonly string[]): OptionRule => {
  return (options, text) => {
    if (!choices.includes(text)) return `takes one of ${choices.join(' ')}${suggestion(text, choices)}`;
    options[key] = text as never;
    return null;
  };
};

/** Any text; quotes around it are taken off. */
export const words = (key: TextKey): OptionRule => {
  return (options, text) => {
    options[key] = text.replace(/^"(.*)"$/, '$1');
    return null;
  };
};

const SIZE_SENTENCE = 'takes a size such as 4096, 64k, 1m, 2g';

export const amount = (key: KeysOf<Amount> | KeysOf<Amount | null>): OptionRule => {
  return (options, text) => {
    const percent = /^(\d{1,3})%$/.exec(text);
    const zones = /^(\d+)z$/i.exec(text);
    const bytes = parseSize(text);
    if (zones !== null) options[key] = { zones: Number(zones[1]) };
    else if (percent !== null && Number(percent[1]) <= 100) options[key] = { percent: Number(percent[1]) };
    else if (Number.isSafeInteger(bytes)) options[key] = { bytes };
    else return `${SIZE_SENTENCE}, a share such as 50%, or zones such as 4z`;
    return null;
  };
};

export const bytes = (key: KeysOf<number>): OptionRule => {
  return (options, text) => {
    const value = parseSize(text);
    if (!Number.isSafeInteger(value)) return SIZE_SENTENCE;
    options[key] = value;
    return null;
  };
};

/** A number from 0 to 1. */
export const share = (key: KeysOf<number>): OptionRule => {
  return (options, text) => {
    const value = text === '' ? Number.NaN : Number(text);
    if (!(value >= 0 && value <= 1)) return 'takes a share from 0 to 1, such as 0.1';
    options[key] = value;
    return null;
  };
};

const NANOSECONDS: Record<string, number> = { us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9, d: 86_400e9 };
export type TimeUnit = 'us' | 'ms' | 's';

/** Nanoseconds of a time such as `10`, `10s`, `500ms`, `100usec`; a bare number counts `unit`. NaN when it is none. */
export function parseTime(text: string, unit: TimeUnit): number {
  const match = /^(\d+(?:\.\d+)?)\s*(us|ms|s|m|h|d)?(?:ec)?$/.exec(text);
  return match === null ? Number.NaN : Math.round(Number(match[1]) * NANOSECONDS[match[2] ?? unit]!);
}

const TIME_SENTENCE = 'takes a time such as 10, 10s, 500ms or 100us';

/** A time; with `zeroIsNever` a zero means that it never comes. */
export const time = (key: KeysOf<number>, unit: TimeUnit, zeroIsNever = false): OptionRule => {
  return (options, text) => {
    const value = parseTime(text, unit);
    if (Number.isNaN(value)) return TIME_SENTENCE;
    options[key] = value === 0 && zeroIsNever ? Number.POSITIVE_INFINITY : value;
    return null;
  };
};

/** One time, or a range from which each clone draws its own. */
export const timeRange: (key: 'startdelay_ns', unit: TimeUnit) => OptionRule = (key, unit) => {
  return (options, text) => {
    const [low, high = low] = text.split('-').map((part) => parseTime(part, unit));
    if (low === undefined || Number.isNaN(low) || !(high! >= low))
      return `${TIME_SENTENCE}, or a range such as 1-3`;
    options[key] = [low, high!];
    return null;
  };
};

/**
 * Reads `read,write,trim`: an empty part keeps its default, and the last part given holds for those behind it.
 * Returns null when `parse` refuses one.
 */
export function triple<Value>(
  text: string,
  defaults: Triple<Value>,
  parse: (part: string) => Value | null,
): Triple<Value> | null {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length > 3) return null;
  const values = defaults.map((value, index) => {
    const part = parts[Math.min(index, parts.length - 1)]!;
    return part === '' ? value : parse(part);
  });
  return values.some((value) => value === null) ? null : (values as unknown as Triple<Value>);
}

/** Rates for reads, writes and trims; 0 is no limit. */
export const rates = (key: KeysOf<Triple>): OptionRule => {
  return (options, text) => {
    const parsed = triple(text, [0, 0, 0], (part) => {
      const value = parseSize(part);
      return Number.isFinite(value) ? value : null;
    });
    if (parsed === null) return 'takes one rate per second such as 10m or 2000, or read,write,trim';
    options[key] = parsed;
    return null;
  };
};

/** Percentages for reads, writes and trims. */
export const percentages = (key: KeysOf<Triple>): OptionRule => {
  return (options, text) => {
    const parsed = triple(text, [100, 100, 100], (part) => {
      const value = wholeNumber(part);
      return value <= 100 ? value : null;
    });
    if (parsed === null) return 'takes one percentage from 0 to 100, or read,write,trim';
    options[key] = parsed;
    return null;
  };
};

const SMALLEST_BLOCK = 512;
const LARGEST_BLOCK = 0x400_0000;
const BLOCK_SENTENCE = `in multiples of ${SMALLEST_BLOCK} up to ${formatSize(LARGEST_BLOCK)}`;
const DEFAULT_SIZE: SizeChoice = { min: 4096, max: 4096, split: null };
const DEFAULT_SIZES: Triple<SizeChoice> = [DEFAULT_SIZE, DEFAULT_SIZE, DEFAULT_SIZE];

function blockBytes(text: string): number {
  const value = parseSize(text);
  const isBlock = Number.isInteger(value / SMALLEST_BLOCK) && value > 0 && value <= LARGEST_BLOCK;
  return isBlock ? value : Number.NaN;
}

/** `4k`, or the range `4k-16k`. */
function sizeChoice(text: string): SizeChoice | null {
  const [min, max = min] = text.split('-').map(blockBytes);
  return min !== undefined && max! >= min ? { min, max: max!, split: null } : null;
}

export const blockSizes: OptionRule = (options, text) => {
  const sizes = triple(text, DEFAULT_SIZES, sizeChoice);
  if (sizes === null) return `takes one size or range such as 4k-16k, or read,write,trim, ${BLOCK_SENTENCE}`;
  options.sizes = sizes;
  return null;
};

/** `4k/10:64k/50:32k/`: sizes with percentages; those without one share what is left. */
function splitChoice(text: string): SizeChoice | null {
  const parts = text.split(':').map((part) => part.split('/'));
  const given = parts.map(([, percent]) =>
    percent === undefined || percent === '' ? null : Number(percent),
  );
  const sum = given.reduce<number>((total, percent) => total + (percent ?? 0), 0);
  const open = given.filter((percent) => percent === null).length;
  if (!(sum <= 100) || (open === 0 && sum !== 100)) return null;
  const split = parts.map(([size], index) => ({
    bytes: blockBytes(size!),
    percent: given[index] ?? (100 - sum) / open,
  }));
  const sizes = split.map((each) => each.bytes);
  if (sizes.some(Number.isNaN)) return null;
  return { min: Math.min(...sizes), max: Math.max(...sizes), split };
}

export const blockSplits: OptionRule = (options, text) => {
  const sizes = triple(text, DEFAULT_SIZES, splitChoice);
  if (sizes === null)
    return `takes sizes with shares that add up to 100, such as 4k/60:64k/40, ${BLOCK_SENTENCE}`;
  options.sizes = sizes;
  return null;
};

export const blockAligns: OptionRule = (options, text) => {
  const aligns = triple(text, [SMALLEST_BLOCK, SMALLEST_BLOCK, SMALLEST_BLOCK] as Triple, (part) => {
    const value = blockBytes(part);
    return Number.isNaN(value) ? null : value;
  });
  if (aligns === null) return `takes one size, or read,write,trim, ${BLOCK_SENTENCE}`;
  options.blockalign = aligns;
  return null;
};

/** CPU numbers: `0`, `0-3`, `0,2,4-5`. */
export const cpuList: OptionRule = (options, text) => {
  const cpus: number[] = [];
  for (const part of text.split(/[,:]/)) {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim());
    if (match === null) return 'takes CPU numbers such as 0,2-3';
    for (let cpu = Number(match[1]); cpu <= Number(match[2] ?? match[1]); cpu++) cpus.push(cpu);
  }
  options.cpus_allowed = cpus;
  return null;
};

/** CPU numbers as the bits of a number: `0x5` is 0 and 2. */
export const cpuMask: OptionRule = (options, text) => {
  const mask = wholeNumber(text);
  if (!(mask > 0 && mask <= 0xffff_ffff)) return 'takes a mask of CPUs such as 0x5';
  options.cpus_allowed = Array.from({ length: 32 }, (_, cpu) => cpu).filter((cpu) => (mask >>> cpu) & 1);
  return null;
};

/** Names that an error list may hold; other errors are given by number. */
const ERRNOS: Readonly<Record<string, number>> = {
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EILSEQ: 84,
  ETIMEDOUT: 110,
};

/** `EIO:ENOSPC,ENOSPC,EILSEQ`: lists for reads, writes and verification. */
export const ignoredErrors: OptionRule = (options, text) => {
  const lists = text.split(',').map((list) => list.split(':').filter((name) => name !== ''));
  const numbers = lists.map((list) => list.map((name) => ERRNOS[name] ?? wholeNumber(name)));
  if (lists.length > 3 || numbers.flat().some(Number.isNaN))
    return `takes errors of reads, writes and verification, such as EIO:5,ENOSPC; names are ${Object.keys(ERRNOS).join(' ')}`;
  const [read = [], write = [], verify = []] = numbers;
  options.ignored = { read, write, verify };
  return null;
};
