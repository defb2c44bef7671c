/** What saved state is written in. `npm run archive:format` renews it: the CRC-32C of every `archive` (test/archive-format.ts). */
export const FORMAT = 0x79bf_35da;
