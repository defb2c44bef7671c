// Starts the hardware thread of a checkout: from dist/ as long as no source is newer, which takes a third of the time.
import { isBuilt } from './built.js';

if (isBuilt(new URL('../', import.meta.url))) await import('../dist/bridge/hardware-thread.js');
else {
  (await import('tsx/esm/api')).register();
  await import('./hardware-thread.ts');
}
