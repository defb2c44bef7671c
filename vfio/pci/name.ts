/**
 * The name by which GROUP_GET_DEVICE_FD asks for a PCI function: `0000:01:00.0`, and behind a space the token that an
 * SR-IOV function wants, `vf_token=<uuid>` (vfio_pci_core_match).
 */
import { EINVAL } from '../uapi/errno.ts';

const OPTION = 'vf_token=';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;
const UUID_LENGTH = 36;

/** Whether `text` means the function `name`: 1, 0, or -EINVAL for a bad option. */
export function matchPciName(name: string, text: string): number {
  if (!text.startsWith(name)) return 0;
  const options = text.slice(name.length);
  if (options !== '' && !options.startsWith(' ')) return 0;
  let hasToken = false;
  for (let at = 0; at < options.length; ) {
    if (options[at] === ' ') at++;
    else if (hasToken || !options.startsWith(OPTION, at) || !UUID.test(options.slice(at + OPTION.length))) {
      return -EINVAL;
    } else {
      hasToken = true;
      at += OPTION.length + UUID_LENGTH;
    }
  }
  // No function here is virtual or has virtual ones, so that no token is the right one.
  return hasToken ? -EINVAL : 1;
}
