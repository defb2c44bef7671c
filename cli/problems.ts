/**
 * What is wrong with a value that a person wrote in a file, told with the lines of the file.
 * Not here: finding what is wrong (support/shape.ts), finding lines (json-file.ts, module-source.ts).
 */
import type { Problem } from '../support/shape.ts';

/** Where something stands in a file, or the nearest around it that was found. */
export interface Place {
  readonly line: number;
  /** False where only something around it was found. */
  readonly isWhole: boolean;
}

export interface Source {
  /** Where the keys and indexes `steps` lead to; where one is missing, what should have it. */
  find(steps: readonly string[]): Place;
}

/**
 * A line for each problem: `what:LINE: place: what would be possible`. In the order of the file; in their own and without
 * lines where there is no `source`.
 */
export function sentencesOf(what: string, problems: readonly Problem[], source: Source | null): string {
  const told = problems.map((problem) => ({ problem, line: source === null ? 0 : lineOf(problem, source) }));
  return told
    .toSorted((one, other) => one.line - other.line)
    .map(({ problem: { path, problem }, line }) => {
      return `${what}${line === 0 ? '' : `:${line}`}: ${path === '' ? '' : `${path}: `}${problem}`;
    })
    .join('\n');
}

/** The line of a problem: of the first key inside of its place that the sentence names, or of the place. */
export function lineOf({ path, problem }: Problem, source: Source): number {
  const steps = stepsOf(path.replace(/ \(.*\)$/, ''));
  const named = problem.match(/[a-z][\w.[\]]*/gi) ?? [];
  const inside = named.map((key) => source.find([...steps, ...stepsOf(key)]));
  return (inside.find(({ isWhole }) => isWhole) ?? source.find(steps)).line;
}

/** `rootPorts[0].at` as keys and indexes. */
const stepsOf = (path: string): string[] => path.match(/[^.[\]]+/g) ?? [];
