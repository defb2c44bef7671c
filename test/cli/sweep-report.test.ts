/** `doorbell report`: one HTML file that loads nothing, drawn by a real browser. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RateRecorder } from '../../cli/sweep/rate.ts';
import { doorbell } from './doorbell.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-report-'));
const page = join(folder, 'report.html');
let html = '';

beforeAll(async () => {
  const job = join(folder, 'job.fio');
  writeFileSync(job, '[</script>&"]\nrw=randread\nbs=4k\nio_size=1m\n');
  const sweep = join(folder, 'sweep');
  const direct = join(folder, 'direct.html');
  const swept = await doorbell(
    'sweep',
    job,
    ...['--vary', 'iodepth=1,4,16', '-o', sweep, '--report', direct],
  );
  expect([swept.status, swept.out.split('\n').at(-1)]).toEqual([0, `${direct}: 3 runs`]);
  const { status, out } = await doorbell('report', sweep, sweep, '-o', page, '--title', 'Depths & <latency>');
  expect({ status, out }).toEqual({ status: 0, out: `${page}: 3 runs` });
  html = readFileSync(page, 'utf8');
  expect(readFileSync(direct, 'utf8').replaceAll(sweep, 'Depths &#38; &#60;latency&#62;')).toBe(html);
});
afterAll(() => rmSync(folder, { recursive: true }));

test('loads nothing from anywhere', () => {
  expect(html).not.toMatch(/<(?:script|img|iframe)[^>]* src=|<link|@import|url\(/);
});

test('shows text as text', () => {
  expect(html).toContain('<title>Depths &#38; &#60;latency&#62;</title>');
  expect(html.match(/<script/g)).toHaveLength(3);
  expect(html.match(/<\/script>/g)).toHaveLength(3);
});

test('says where the time of the median I/O of the run of depth 1 went', () => {
  expect(html.match(/class="bar"/g)).toHaveLength(1);
  expect(html).toMatch(/iodepth=1: \d+ ns/);
});

const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update', '--hide-scrollbars'],
];
const hasChromium = spawnSync('chromium', ['--version']).status === 0;

/** Has headless Chromium take a picture of an address, and returns the document that it made of it. */
const chromium = (address: string, picture: string): string =>
  execFileSync(
    'chromium',
    [
      ...[...FLAGS, `--user-data-dir=${join(folder, 'profile')}`, '--dump-dom', '--window-size=1000,1800'],
      ...[`--screenshot=${picture}`, address],
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );

/** Share of the stored bytes of a PNG that its filters did not make zero: next to nothing for a blank page. */
function ink(path: string): number {
  const png = readFileSync(path);
  const data: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    const length = png.readUInt32BE(at);
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') data.push(png.subarray(at + 8, at + 8 + length));
  }
  const bytes = inflateSync(Buffer.concat(data));
  return bytes.reduce((count, byte) => count + Number(byte !== 0), 0) / bytes.length;
}

describe.skipIf(!hasChromium)('in a browser (needs chromium)', () => {
  const picture = join(folder, 'report.png');
  let dom = '';
  beforeAll(() => {
    dom = chromium(`file://${page}`, picture);
  });

  test('every chart is drawn', () => {
    expect(dom).toContain('data-charts="4"');
    expect(dom.match(/<canvas/g)).toHaveLength(4);
    for (const depth of [1, 4, 16]) expect(dom).toContain(`iodepth=${depth} read`);
  });

  test('a screenshot shows them', () => {
    const blank = join(folder, 'blank.png');
    chromium('about:blank', blank);
    expect(ink(picture)).toBeGreaterThan(20 * ink(blank));
  });
});

describe('I/Os over time', () => {
  test('keep their number and their place when spans widen', () => {
    const recorder = new RateRecorder();
    for (let ms = 0; ms < 1000; ms++) recorder.record(0, ms * 1e6);
    const { ios, width_ns } = recorder.rate;
    expect(ios.length).toBeLessThanOrEqual(64);
    expect(ios.reduce((sum, count) => sum + count)).toBe(1000);
    expect(ios.length * width_ns).toBeGreaterThanOrEqual(999e6);
    expect(Math.max(...ios.slice(0, -1)) - Math.min(...ios.slice(0, -1))).toBeLessThanOrEqual(1);
  });
});

test.each([
  [['report'], 'doorbell: report: give the folders of sweeps: doorbell report FOLDER… -o report.html'],
  [['report', '/none'], /^doorbell: cannot read the results of a sweep in \/none: ENOENT/],
])('%j', async (argv, sentence) => {
  const { status, err } = await doorbell(...argv);
  expect(status).toBe(2);
  if (typeof sentence === 'string') expect(err).toBe(sentence);
  else expect(err).toMatch(sentence);
});
