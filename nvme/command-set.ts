/**
 * What the engine asks of commands, whatever they mean. Not here: the way of a command through the controller (engine.ts),
 * the command sets themselves (admin.ts, nvm.ts).
 */

/**
 * `check` or `execute` keeps the command. It goes on through `accept` or `mapped`, or ends through `complete`: an
 * Asynchronous Event Request, half of a fused pair, a command whose SGL is being read.
 */
export const HELD = -1;

/** What commands of one kind of queue mean. Every method takes a slot and returns a status. */
export interface CommandSet {
  /** Validates the entry; sets the slot's direction and bytes. */
  check(slot: number): number;
  /** Moves the host's data into the controller. */
  receive(slot: number): number;
  /** Does the work, or keeps the command (HELD). */
  execute(slot: number): number;
  /** Moves the controller's data to the host. */
  send(slot: number): number;
}

/** I/O commands also take the medium's time and can say why they failed. */
export interface IoCommandSet extends CommandSet {
  reason: string;
  delay(slot: number): number;
  /** The command failed or is being aborted. */
  drop(slot: number): void;
}

/** Who is told of every command that fails: `reason` is one sentence or empty. */
export interface FailureLog {
  commandFailed(slot: number, status: number, reason: string): void;
}
