/** Rows of cells as lines with aligned columns. */

/** The first `left` columns to the left, the others to the right. A row of one cell stands as it is. */
export function alignColumns(rows: readonly (readonly string[])[], left = 1): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    if (row.length > 1)
      for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  const filled = (cell: string, column: number): string =>
    column < left ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column]!);
  return rows.map((row) => row.map(filled).join('  ').trimEnd());
}
