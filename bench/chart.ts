/** A run as a picture: throughput by size, cost by depth, queue pairs and drives, growth. Not here: measuring. */
import { createRequire } from 'node:module';
import { formatSize } from '../support/numbers.ts';
import type { Metric } from './measure.ts';

/** What is used of Apache ECharts, whose own types need those of a browser. */
interface Echarts {
  init(element: null, theme: null, options: object): EchartsInstance;
}
interface EchartsInstance {
  setOption(option: object): void;
  renderToSVGString(): string;
  dispose(): void;
}
/** Loaded when a chart is drawn: a CommonJS package detaches an ArrayBuffer, and then each access of a typed array is checked. */
const load = (): Echarts => createRequire(import.meta.url)('echarts') as Echarts;

const WIDTH = 1200;
const HEIGHT = 900;
/** Left, top: four panels. */
const PANELS = [
  [70, 70],
  [670, 70],
  [70, 520],
  [670, 520],
] as const;
const PANEL = { width: 480, height: 320 };

/** One line of a panel: y by x. */
interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

interface Panel {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
  /** Text of an x value. */
  readonly label: (x: number) => string;
}

/** The metrics whose name matches `pattern`, by the number that its group captures. */
function line(
  metrics: readonly Metric[],
  name: string,
  pattern: RegExp,
  y = (ns: number, _x: number) => ns,
): Line {
  const points = metrics.flatMap((metric) => {
    const x = Number(pattern.exec(metric.name)?.[1]);
    return Number.isNaN(x) ? [] : [[x, y(metric.value, x)] as const];
  });
  return { name, points: [...points].sort(([a], [b]) => a - b) };
}

function panels(metrics: readonly Metric[]): Panel[] {
  const gigabytes = (ns: number, bytes: number): number => bytes / ns;
  const of = (name: string, pattern: RegExp, y?: (ns: number, x: number) => number) =>
    line(metrics, name, pattern, y);
  return [
    {
      title: 'Functional pace, depth 32',
      x: 'bytes per I/O',
      y: 'GB/s',
      label: formatSize,
      lines: [
        of('memory.copy', /^copy\.(\d+)\.ns$/, gigabytes),
        of('read', /^functional\.read\.(\d+)\.qd32\.ns$/, gigabytes),
        of('write', /^functional\.write\.(\d+)\.qd32\.ns$/, gigabytes),
      ],
    },
    {
      title: 'Commands per doorbell',
      x: 'queue depth',
      y: 'ns per I/O',
      label: String,
      lines: [
        of('512 B read', /^functional\.read\.512\.qd(\d+)\.ns$/),
        of('4 KiB read', /^functional\.read\.4096\.qd(\d+)\.ns$/),
      ],
    },
    {
      title: '4 KiB reads, depth 32 on each queue',
      x: 'queue pairs, drives',
      y: 'ns per I/O',
      label: String,
      lines: [of('queue pairs', /\.pairs(\d+)\.ns$/), of('drives', /\.drives(\d+)\.ns$/)],
    },
    {
      title: 'Growth',
      x: 'mappings',
      y: 'ns',
      label: (x) => x.toLocaleString('en-US'),
      lines: [
        of('4 KiB read', /^growth\.mappings\.(\d+)\.read\.ns$/),
        of('map and unmap', /^growth\.mappings\.(\d+)\.map\.ns$/),
      ],
    },
  ];
}

/** An SVG of what the run measured; lines without a point are left out. */
export function chartOf(metrics: readonly Metric[]): string {
  const all = panels(metrics);
  const chart = load().init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: all.map(({ title }, index) => ({
      text: title,
      left: PANELS[index]![0],
      top: PANELS[index]![1] - 55,
      textStyle: { fontSize: 15 },
    })),
    legend: all.map(({ lines }, index) => ({
      data: lines.map(({ name }) => `${name} `.padEnd(name.length + index + 1)),
      left: PANELS[index]![0] + 50,
      top: PANELS[index]![1] - 30,
    })),
    grid: PANELS.map(([left, top]) => ({ left, top, ...PANEL })),
    xAxis: all.map(({ x, label }, gridIndex) => ({
      type: 'log',
      logBase: 2,
      gridIndex,
      name: x,
      nameLocation: 'middle',
      nameGap: 28,
      axisLabel: { formatter: (value: number) => label(value) },
    })),
    yAxis: all.map(({ y }, gridIndex) => ({ type: 'value', gridIndex, name: y, scale: false })),
    series: all.flatMap(({ lines }, index) =>
      lines.map(({ name, points }) => ({
        type: 'line',
        // Names of panels differ by blanks at the end, because a name is one legend entry.
        name: `${name} `.padEnd(name.length + index + 1),
        xAxisIndex: index,
        yAxisIndex: index,
        data: points.map((point) => [...point]),
        symbolSize: 6,
      })),
    ),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
