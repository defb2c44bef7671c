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
