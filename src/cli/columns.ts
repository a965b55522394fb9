// Scripts whose signs, and pictures that, take two places on a terminal.
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/gu;
const NO_PLACE = /\p{M}/gu;
const GAP = "  ";

/** How columns of text are laid out. */
export interface Layout {
  /** Places of the columns that hold numbers. */
  readonly right?: readonly number[];
}

/** Rows as lines with aligned columns; the last column is as long as it is. */
export function columns(
  rows: readonly (readonly string[])[],
  { right = [] }: Layout = {},
): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [place, text] of row.entries()) {
      widths[place] = Math.max(widths[place] ?? 0, widthOf(text));
    }
  }
  const pad = (text: string, place: number): string => {
    const blanks = " ".repeat((widths[place] ?? 0) - widthOf(text));
    return right.includes(place) ? blanks + text : text + blanks;
  };
  return rows.map((row) => row.map(pad).join(GAP).trimEnd());
}

/** The places that a text takes on a terminal, near enough for a table. */
export function widthOf(text: string): number {
  const plain = text.replace(NO_PLACE, "");
  return Array.from(plain).length + (plain.match(WIDE)?.length ?? 0);
}
