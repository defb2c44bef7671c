/** Which errors their message explains to a person, and the exit status of each. Not here: printing them (main.ts). */
import { BoardError } from '../boards/index.ts';
import { ImageError } from '../bridge/host.ts';
import { ControllerError, NvmeError, SysError } from '../drivers/nvme/index.ts';
import { EnumerationError } from '../machine/pcie/enumerate.ts';
import { HardwareThreadError } from '../machine/threads/cpu-port.ts';
import { UserError } from '../support/user-error.ts';

/** Exit status for an error that its message explains; null for a bug. */
export function statusOf(error: unknown): 1 | 2 | null {
  if (error instanceof UserError) return error.status;
  if (error instanceof BoardError || error instanceof EnumerationError || error instanceof ImageError)
    return 2;
  if (error instanceof HardwareThreadError) return 1;
  return error instanceof SysError || error instanceof NvmeError || error instanceof ControllerError
    ? 1
    : null;
}
