/** `doorbell boards`: what each shipped board is, with its PCI tree as firmware finds it, or one whole as JSON. */
import { type Board, boot, drivesOf } from '../boards/index.ts';
import { UserError } from '../support/user-error.ts';
import { parseArguments } from './arguments.ts';
import { BOARDS, findBoard } from './board-option.ts';
import { tree } from './lspci.ts';
import type { Output } from './output.ts';

export async function boardsCommand(argv: readonly string[], output: Output): Promise<number> {
  const words = argv.filter((word) => word !== '--json');
  const { rest, options } = parseArguments('boards', words, ['json']);
  const isJson = words.length < argv.length || options.json !== undefined;
  if (isJson && rest.length !== 1)
    throw new UserError('boards: --json prints one board: doorbell boards NAME --json');
  const chosen = rest.length === 0 ? BOARDS : await Promise.all(rest.map(findBoard));
  output.lines(isJson ? [JSON.stringify(chosen[0], null, 2)] : describeBoards(chosen));
  return 0;
}

/** The lines for `boards`; each is booted to find its tree. */
function describeBoards(boards: readonly Board[]): string[] {
  return boards.flatMap((board, index) => [
    ...(index === 0 ? [] : ['']),
    `${board.name}: ${board.description}`,
    `  ${board.ram} RAM, ${board.media} media, ${board.iommu === null ? 'no IOMMU' : 'VT-d'}`,
    ...drivesOf(board.rootPorts).flatMap(({ drive: { serial, profile }, namespaces }, drive) =>
      namespaces.map(({ size, image, zones }, nsid) => {
        const inZones = zones === undefined ? '' : ` in zones of ${zones.zone}`;
        const where = `${image === undefined ? 'in memory' : `in ${image}`}${inZones}`;
        return `  nvme${drive}n${nsid + 1}: ${size} ${where}, drive ${serial} (${profile.model})`;
      }),
    ),
    ...tree(boot(board, { pace: 'functional' }).topology, true).map((line) => `  ${line}`),
  ]);
}
