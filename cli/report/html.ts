/** The report page: one file with its styles, its data, uPlot and the script that draws. It loads nothing from anywhere. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { packageFile } from '../../bridge/package-file.ts';
import type { Result } from '../sweep/run.ts';
import { resultTable } from '../sweep/table.ts';
import { type Bar, barsOf, chartsOf } from './charts.ts';

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em; color: #222; }
h1 { font-size: 1.5em; } h2 { font-size: 1.1em; margin-top: 2em; }
pre { background: #f5f5f5; padding: 1em; overflow-x: auto; font-size: 13px; }
.bar { display: flex; height: 26px; margin: 4px 0 2px; }
.bar span { overflow: hidden; white-space: nowrap; padding: 3px 4px; font-size: 12px; color: #fff; box-sizing: border-box; }
.u-legend { font-size: 12px; text-align: left; }
`;
const COLOURS = ['#4c78a8', '#f58518', '#54a24b', '#b279a2', '#e45756', '#72b7b2'];

const escaped = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** Data for a script element: no text in it can end the element. */
const dataOf = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

/** The whole page. `title` names what is reported. */
export function reportPage(title: string, results: readonly Result[]): string {
  const library = dirname(createRequire(import.meta.url).resolve('uplot/package.json'));
  const charts = chartsOf(results);
  const bars = barsOf(results);
  const drawn = charts.map((chart) => `<h2>${escaped(chart.title)}</h2>\n<div id="${chart.id}"></div>`);
  const spent =
    bars.length === 0 ? [] : ['<h2>Where the time of the median I/O went</h2>', ...bars.map(barHtml)];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escaped(title)}</title>
<style>${readFileSync(join(library, 'dist/uPlot.min.css'), 'utf8')}${STYLE}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<p>All times are simulated. Drag over a chart to zoom, double-click to see all of it again.</p>
${[...drawn, ...spent].join('\n')}
<h2>Results</h2>
<pre>${escaped(resultTable(results).join('\n'))}</pre>
<script type="application/json" id="data">${dataOf({ charts })}</script>
<script>${readFileSync(join(library, 'dist/uPlot.iife.min.js'), 'utf8')}</script>
<script>${readFileSync(packageFile('cli/report/page.js'), 'utf8')}</script>
</body>
</html>
`;
}

function barHtml({ name, parts }: Bar): string {
  const all = parts.reduce((sum, { ns }) => sum + ns, 0);
  const spans = parts.map((part, index) => {
    const share = (100 * part.ns) / all;
    const text = `${part.name} ${part.ns.toFixed(0)} ns`;
    return `<span title="${text}" style="width:${share.toFixed(2)}%;background:${COLOURS[index % COLOURS.length]}">${share > 6 ? text : ''}</span>`;
  });
  return `<div>${escaped(name)}: ${all.toFixed(0)} ns</div><div class="bar">${spans.join('')}</div>`;
}
