/** Files that come with the package, found from the sources in a checkout and from dist/ in an installed package. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Path of `name`, such as `scenarios/first-light.fio`. Throws when the package lacks it. */
export function packageFile(name: string): string {
  for (const root of ['../', '../../']) {
    const path = fileURLToPath(new URL(root + name, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new Error(`${name} is missing from this package`);
}
