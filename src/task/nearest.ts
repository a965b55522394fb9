// The work is word length times candidate length: what is longer is no slip of the hand.
const MAX_WORD_LENGTH = 64;

/**
 * The candidate that `word` was probably meant to be, for "did you mean"; undefined when none is near.
 * Case, `-`, `_` and brackets do not count as differences; of equally near candidates the first wins.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > MAX_WORD_LENGTH) return undefined;
  const wanted = plain(word);
  let best: string | undefined;
  let bestDistance = slack(wanted) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > MAX_WORD_LENGTH) continue;
    const distance = distanceOf(wanted, plain(candidate));
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

const plain = (word: string): string => word.toLowerCase().replace(/[-_[\]]/g, "");

/** How many slips a word of this length may hold; a short word with many is another word. */
const slack = (word: string): number => Math.min(3, Math.floor(word.length / 3));

/** Slips between two words: a letter too many, missing, another, or two neighbours swapped. */
function distanceOf(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      const slips = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
        swapped ? at(beforeLast, column - 2) + 1 : Infinity,
      );
      current.push(slips);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, b.length);
}

const at = (row: readonly number[], column: number): number => row[column] ?? Infinity;
