/** Where a verb prints: results to standard output, remarks to standard error, a status line only on a terminal. */

export interface Output {
  readonly isTerminal: boolean;
  lines(lines: readonly string[]): void;
  error(line: string): void;
  /** Replaces the status line; an empty text removes it. */
  status(text: string): void;
}

export function processOutput(): Output {
  const { stdout, stderr } = process;
  const isTerminal = stdout.isTTY === true;
  // A reader that has seen enough (`| head`) is no failure.
  stdout.once('error', () => process.exit(0));
  let shown = 0;
  const status = (text: string): void => {
    if (!isTerminal || (text === '' && shown === 0)) return;
    const line = text.slice(0, Math.max(20, (stdout.columns || 80) - 1));
    stdout.write(`\r${line.padEnd(shown)}${text === '' ? '\r' : ''}`);
    shown = line.length;
  };
  const lines = (list: readonly string[]): void => {
    status('');
    if (list.length > 0) stdout.write(`${list.join('\n')}\n`);
  };
  return { isTerminal, lines, status, error: (line) => void stderr.write(`${line}\n`) };
}
