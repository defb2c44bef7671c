// The script of a report page: draws the charts whose data stand in #data with uPlot. Runs in a browser, without a network.
const { charts } = JSON.parse(document.getElementById('data').textContent);
const colour = (index, count) => `hsl(${Math.round((360 * index) / count)} 65% 42%)`;

function draw({ id, x, y, isLogarithmic, lines }) {
  const tables = lines.map((line) => [line.x, line.y]);
  const data = tables.length === 0 ? [[], []] : uPlot.join(tables);
  const place = document.getElementById(id);
  const options = {
    width: place.clientWidth,
    height: 320,
    scales: { x: { time: false, distr: isLogarithmic ? 3 : 1 } },
    axes: [{ label: x }, { label: y, size: 80 }],
    series: [
      { label: x },
      ...lines.map(({ name }, index) => ({
        label: name,
        stroke: colour(index, lines.length),
        width: 2,
        spanGaps: true,
        points: { show: lines[index].x.length < 40 },
      })),
    ],
  };
  return new uPlot(options, data, place);
}

const plots = charts.map((chart) => draw(chart));
addEventListener('resize', () => {
  for (const plot of plots) plot.setSize({ width: plot.root.parentElement.clientWidth, height: 320 });
});
document.body.dataset.charts = String(plots.length);
