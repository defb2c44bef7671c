/** Why something cannot be done now, as a value that whoever refuses the command turns into its completion. */
export interface Refusal {
  readonly status: number;
  /** One sentence. */
  readonly reason: string;
}
