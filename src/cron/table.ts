import { MemqError } from "../errors.ts";
import { isSameMark, markLine, readMarkLine, type Mark } from "./mark.ts";

/**
 * A user's crontab as the bytes it has, one character each (latin1): whatever else stands in it, and in
 * whatever encoding, goes back as it came.
 */
export type Table = string;

/** A block of memq in a table: from the first character of its first line to the end of its last. */
export interface Block {
  readonly mark: Mark;
  readonly start: number;
  readonly end: number;
  /** The lines between the marks. */
  readonly lines: readonly string[];
}

interface Line {
  /** Without the line end, decoded. */
  readonly text: string;
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

/**
 * The blocks that `owns` says are meant, in their order.
 * @throws MemqError CRONTAB_UNUSABLE with the line, when one of them is broken.
 */
export function blocksIn(table: Table, owns: (mark: Mark) => boolean): readonly Block[] {
  const blocks: Block[] = [];
  let open: { readonly mark: Mark; readonly at: number } | undefined;
  const lines = linesOf(table);
  for (const [at, line] of lines.entries()) {
    const mark = readMarkLine(line.text);
    if (mark === undefined || (open === undefined && !owns(mark))) continue;
    if (open === undefined) {
      if (mark.edge === "END") throw broken(line, "ends a block that does not begin");
      open = { mark: identity(mark), at };
    } else {
      if (mark.edge === "BEGIN" || !isSameMark(mark, open.mark)) throw unended(lines[open.at]);
      blocks.push(blockOf(open.mark, lines.slice(open.at, at + 1)));
      open = undefined;
    }
  }
  if (open !== undefined) throw unended(lines[open.at]);
  return blocks;
}

const identity = ({ configFile, queue }: Mark): Mark => ({
  configFile,
  ...(queue !== undefined && { queue }),
});

const blockOf = (mark: Mark, lines: readonly Line[]): Block => ({
  mark,
  start: lines[0]?.start ?? 0,
  end: lines.at(-1)?.end ?? 0,
  lines: lines.slice(1, -1).map(({ text }) => text),
});

const unended = (line: Line | undefined): MemqError =>
  line === undefined
    ? broken({ number: 1, text: "" }, "is gone")
    : broken(line, "begins a block that does not end");

const broken = ({ number, text }: Pick<Line, "number" | "text">, what: string): MemqError =>
  new MemqError(
    "CRONTAB_UNUSABLE",
    `line ${String(number)} of the crontab ${what}, so nothing was changed: ${text}`,
  );

/** What a block is made of: the lines between its marks, given the table that stands before it. */
export type BlockLines = (before: Table) => readonly string[];

/**
 * The table with a block in the place of the one that has the same mark, else at its end. Further blocks of
 * that mark, which are copies, go. Every other byte stays. @throws MemqError CRONTAB_UNUSABLE
 */
export function withBlock(table: Table, mark: Mark, linesAfter: BlockLines): Table {
  const [first] = blocksIn(table, (other) => isSameMark(other, mark));
  const rest = withoutBlocks(table, (other) => isSameMark(other, mark));
  const before = first === undefined ? ended(rest) : table.slice(0, first.start);
  const after = first === undefined ? "" : rest.slice(before.length);
  const lines = [
    markLine({ ...mark, edge: "BEGIN" }),
    ...linesAfter(before),
    markLine({ ...mark, edge: "END" }),
  ];
  return before + toTable(`${lines.join("\n")}\n`) + after;
}

/** The table without the blocks that `owns` says are meant. @throws MemqError CRONTAB_UNUSABLE */
export function withoutBlocks(table: Table, owns: (mark: Mark) => boolean): Table {
  const blocks = blocksIn(table, owns);
  if (blocks.length === 0) return table;
  const starts = [0, ...blocks.map(({ end }) => end)];
  const kept = starts.map((start, nth) => table.slice(start, blocks[nth]?.start ?? table.length));
  return ended(kept.join(""));
}

/** Cron refuses a table whose last line does not end. */
const ended = (table: Table): Table => (table === "" || table.endsWith("\n") ? table : `${table}\n`);

const ASSIGNED_MAILTO = /^\s*(["']?)MAILTO\1\s*=/;

/** The last line of a table that says who gets cron's mail; undefined when none does. */
export const mailToLine = (table: Table): string | undefined =>
  linesOf(table)
    .map(({ text }) => text)
    .findLast((text) => ASSIGNED_MAILTO.test(text));

const toTable = (text: string): Table => Buffer.from(text, "utf8").toString("latin1");
const fromTable = (table: Table): string => Buffer.from(table, "latin1").toString("utf8");

function linesOf(table: Table): readonly Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < table.length; start = lines.at(-1)?.end ?? table.length) {
    const newline = table.indexOf("\n", start);
    const end = newline === -1 ? table.length : newline + 1;
    const text = fromTable(table.slice(start, end)).replace(/\r?\n?$/, "");
    lines.push({ text, number: lines.length + 1, start, end });
  }
  return lines;
}
