/**
 * Neighbouring rows that an owner took in one go: noted as one row, so that they need not be written before they
 * are removed. Those of them that wait, as stored, are running; what comes back leaves the range first.
 */
export interface RowRange {
  readonly first: number;
  readonly last: number;
}

/** Rows in their order, neighbours together. */
export function rangesOf(rows: readonly number[]): readonly RowRange[] {
  const ranges: { first: number; last: number }[] = [];
  for (const row of rows) {
    const range = ranges.at(-1);
    if (range !== undefined && range.last + 1 === row) range.last = row;
    else ranges.push({ first: row, last: row });
  }
  return ranges;
}

/** What is left of a range without some rows. */
export function without({ first, last }: RowRange, rows: readonly number[]): readonly RowRange[] {
  const left: RowRange[] = [];
  let next = first;
  for (const row of rows.filter((one) => one >= first && one <= last).sort((a, b) => a - b)) {
    if (row > next) left.push({ first: next, last: row - 1 });
    next = row + 1;
  }
  return next > last ? left : [...left, { first: next, last }];
}
