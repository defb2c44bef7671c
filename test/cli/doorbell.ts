/** Runs the command line inside a test and keeps what it prints. */
import { main } from '../../cli/main.ts';

export interface Printed {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** `doorbell ARGUMENTS`, without a terminal. */
export async function doorbell(...argv: string[]): Promise<Printed> {
  const out: string[] = [];
  const err: string[] = [];
  const status = await main(argv, {
    isTerminal: false,
    lines: (lines) => void out.push(...lines),
    error: (line) => void err.push(line),
    status: () => {},
  });
  return { status, out: out.join('\n'), err: err.join('\n') };
}
