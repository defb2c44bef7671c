#!/usr/bin/env node
// Starts the command line.
import { load } from './entry.js';

const { main } = await load('main');
process.exitCode = await main(process.argv.slice(2));
