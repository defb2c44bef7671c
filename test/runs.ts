/** How many runs a random test makes: few in `npm test`, many in `npm run soak`. */
export const runs = (few: number, many: number): number => (process.env.SOAK === '1' ? many : few);
