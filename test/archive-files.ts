/** The files in which something may archive what changes: those of the machine, the drivers, image files and the fio engine. */
import { execFileSync } from 'node:child_process';

const ROOMS = ['machine', 'iommu', 'vfio', 'nvme', 'drivers', 'boards', 'bridge', 'cli/fio', 'support'];

export const archiveFiles = (): string[] =>
  execFileSync('git', ['ls-files', ...ROOMS.map((room) => `${room}/*.ts`)], { encoding: 'utf8' })
    .split('\n')
    .filter((file) => file !== '' && !file.endsWith('.d.ts') && !/\/(?:spec|uapi)\//.test(file));
