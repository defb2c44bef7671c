import { readdirSync, readFileSync } from 'node:fs';
import { boot, conformance } from '/work/main/boards/index.ts';
import { runCase, differenceText } from '/work/main/cli/conformance/runner.ts';
const dir = process.argv[2] ?? '/work/shared/conformance';
const only = process.argv[3];
let p = 0, f = 0;
for (const file of readdirSync(dir).filter((n) => n.endsWith('.json') && (!only || n === only))) {
  const t = Date.now();
  const { kernel } = boot(conformance, { pace: 'functional' });
  const bt = Date.now() - t;
  for (const c of JSON.parse(readFileSync(`${dir}/${file}`, 'utf8'))) {
    try {
      const d = await runCase(kernel, c);
      if (d) { f++; console.log(file, differenceText(d)); } else p++;
    } catch (e) { f++; console.log(file, c.name, e); }
  }
  console.log(file, bt, Date.now() - t);
}
console.log(p, f);
