// Starts the hardware thread from the TypeScript sources of a checkout; an installed package has it compiled.
import { register } from 'tsx/esm/api';

register();
await import('./hardware-thread.ts');
