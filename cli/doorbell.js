#!/usr/bin/env node
// Starts the command line: from the TypeScript sources in a checkout, from dist/ in an installed package.
import { existsSync } from 'node:fs';

const source = new URL('./main.ts', import.meta.url);
const checkout = existsSync(source);
if (checkout) (await import('tsx/esm/api')).register();
const { main } = await import(checkout ? source.href : '../dist/cli/main.js');
process.exitCode = await main(process.argv.slice(2));
