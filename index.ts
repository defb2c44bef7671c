/** The door of the package: boot a board, drive it. Deeper doors are in package.json's `exports`. */
export * from './boards/index.ts';
export * from './drivers/nvme/index.ts';
