/** How the texts of single keys are read that no builder of rules.ts fits. Not here: which key has which rule (keys.ts). */
import { suggestion } from '../../support/nearest.ts';
import { type AccessZone, VERIFY_METHODS } from './options.ts';
import { parsePattern } from './pattern.ts';
import { bytes, choice, integer, type OptionRule } from './rules.ts';
import { parseCriterion } from './steady-criterion.ts';

const PATTERNS = [
  ...['read', 'write', 'trim', 'randread', 'randwrite', 'randtrim'],
  ...['rw', 'readwrite', 'randrw', 'trimwrite', 'randtrimwrite'],
];

/** `randread`, `randread:8` (I/Os per jump) or `read:-8k` (bytes between I/Os). */
export const pattern: OptionRule = (options, text) => {
  const [name = '', ...modifiers] = text.split(':');
  const refused = choice('rw', PATTERNS)(options, name);
  if (refused !== null) return refused;
  const match = /^(-?)(.+)$/.exec(modifiers.join(':'));
  options.rw_run = 1;
  options.rw_skip_bytes = 0;
  if (match === null) return null;
  const isRandom = name.startsWith('rand');
  const rule = isRandom ? integer('rw_run', 1, 1e9) : bytes('rw_skip_bytes');
  if ((isRandom && match[1] === '-') || rule(options, match[2]!) !== null)
    return 'takes behind the colon I/Os per jump (rw=randread:8) or bytes between I/Os (rw=read:8k)';
  if (match[1] === '-') options.rw_skip_bytes = -options.rw_skip_bytes;
  return null;
};

export const percentiles: OptionRule = (options, text) => {
  const list = text.split(':').map(Number);
  if (list.length > 20 || !list.every((percent) => percent > 0 && percent <= 100)) {
    return 'takes up to 20 percentages separated by colons, such as 50:99:99.9';
  }
  options.percentile_list = list.sort((a, b) => a - b);
  return null;
};

export const bytePattern = (key: 'verify_pattern' | 'buffer_pattern'): OptionRule => {
  return (options, text) => {
    options[key] = parsePattern(text);
    return options[key] === null ? 'takes a number such as 0xdeadbeef, a "text", %o, or a mix of them' : null;
  };
};

export const fileName: OptionRule = (options, text) => {
  if (text === '' || /(?<!\\):/.test(text))
    return 'takes one namespace such as nvme0n1, or the path of one image; each further file takes a job of its own';
  options.filename = text.replaceAll('\\:', ':');
  return null;
};

export const rwmixwrite: OptionRule = (options, text) => {
  const refused = integer('rwmixread', 0, 100)(options, text);
  if (refused === null) options.rwmixread = 100 - options.rwmixread;
  return refused;
};

/** `50/5:30/15:20/80`: shares of accesses and of the region; a missing size shares what is left. */
function accessZones(text: string): AccessZone[] | null {
  const parts = text.split(':').map((part) => part.split('/'));
  const sizes = parts.map(([, size]) => (size === undefined || size === '' ? null : Number(size)));
  const sum = sizes.reduce<number>((total, size) => total + (size ?? 0), 0);
  const open = sizes.filter((size) => size === null).length;
  const zones = parts.map(([access], index) => ({
    access: Number(access),
    size: sizes[index] ?? (100 - sum) / open,
  }));
  const accesses = zones.reduce((total, { access }) => total + access, 0);
  return accesses === 100 && sum <= 100 && zones.every(({ size }) => size > 0) ? zones : null;
}

/** What fio 3.33 takes for a distribution without a number; its normal one then has this deviation, as measured. */
const DEFAULTS: Readonly<Record<string, number>> = { zipf: 1.1, pareto: 0.2, normal: 100 / 12 };

export const distribution: OptionRule = (options, text) => {
  const [kind = '', ...rest] = text.split(':');
  const value = rest.length === 0 ? DEFAULTS[kind]! : Number(rest[0]);
  if (kind === 'random' && rest.length === 0) options.distribution = { kind };
  else if (kind === 'zipf' && value > 0 && value !== 1 && value < 100) options.distribution = { kind, value };
  else if (kind === 'pareto' && value > 0 && value < 1) options.distribution = { kind, value };
  else if (kind === 'normal' && value > 0 && value <= 100) options.distribution = { kind, value };
  else {
    const zones = kind === 'zoned' ? accessZones(rest.join(':')) : null;
    if (zones === null) {
      return (
        'takes random, zipf:THETA (above 0, not 1), pareto:POWER (between 0 and 1), normal:DEVIATION (percent) or ' +
        `zoned:ACCESS/SIZE:... (percent)${suggestion(kind, ['random', 'zipf', 'pareto', 'normal', 'zoned'])}`
      );
    }
    options.distribution = { kind: 'zoned', zones };
  }
  return null;
};

export const verify: OptionRule = (options, text) => {
  const refused = choice('verify', VERIFY_METHODS)(options, text);
  if (text === '0') options.verify = 'none';
  if (text === 'crc32c-intel') options.verify = 'crc32c';
  return refused;
};

export const sync: OptionRule = (options, text) => {
  if (!['', '0', '1', 'none', 'sync', 'dsync'].includes(text)) return 'takes none, sync or dsync';
  options.sync = text !== '0' && text !== 'none';
  return null;
};

export const one = (what: string): OptionRule => {
  return (_, text) => (text === '1' ? null : `takes only 1 here: ${what}`);
};

export const steadiness: OptionRule = (options, text) => {
  options.steady = parseCriterion(text);
  return options.steady === null
    ? 'takes iops, bw, iops_slope or bw_slope with a limit, such as iops:2%'
    : null;
};
