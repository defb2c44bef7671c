/** Mistakes of the person at the keyboard: one sentence, an exit status, never a stack trace. */

export class UserError extends Error {
  override readonly name = 'UserError';
  /** 2 for what was asked (a verb, an option, a file), 1 for what happened while doing it. */
  readonly status: 1 | 2;

  constructor(sentence: string, status: 1 | 2 = 2) {
    super(sentence);
    this.status = status;
  }
}

/** What each of `finds` returns. Throws UserError with the sentences of all that throw one, a line for each. */
export function allOf<Result>(finds: readonly (() => Result)[]): Result[] {
  const results: Result[] = [];
  const sentences: string[] = [];
  for (const find of finds) {
    try {
      results.push(find());
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      sentences.push(error.message);
    }
  }
  if (sentences.length > 0) throw new UserError(sentences.join('\n'));
  return results;
}
