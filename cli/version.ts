/** The version of Doorbell that runs, of sources and of the installed package. */
import { existsSync, readFileSync } from 'node:fs';

/** As in package.json, which lies in a folder above this file. */
export function doorbellVersion(): string {
  let folder = new URL('.', import.meta.url);
  while (!existsSync(new URL('package.json', folder))) folder = new URL('..', folder);
  const { version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as {
    version: string;
  };
  return version;
}
