/**
 * The code blocks of a Markdown document, and what becomes of each. A comment above it says so:
 *
 *   <!-- file config.ini -->     the block is written to that file
 *   <!-- run -->                 sh and js blocks: run in the document's folder; must exit 0
 *   <!-- run, exits 65 -->       must exit with that code
 *   <!-- output -->              what the block before printed on stdout; `…` stands for anything in a line
 *   <!-- not run: reason -->     nothing is done
 *
 * `<!-- fresh folder -->` on a line of its own: what follows starts in an empty folder.
 */
export interface Block {
  /** Line of the fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  readonly use: Use;
  readonly fresh: boolean;
}

export type Use =
  | { readonly kind: "file"; readonly name: string }
  | { readonly kind: "run"; readonly exits: number }
  | { readonly kind: "output" }
  | { readonly kind: "ignored"; readonly reason: string }
  | { readonly kind: "unmarked" };

const FENCE = /^(`{3,})(\w*).*$/;
const FRESH = "<!-- fresh folder -->";
const OTHER_MARKS = /^(fresh folder|begin \w+|end \w+)$/; // the latter stand around tables

/** @throws Error when a block is not closed, or a comment above a block is not understood. */
export function blocksOf(markdown: string): Block[] {
  const lines = markdown.split("\n");
  const blocks: Block[] = [];
  let fresh = false;
  for (let at = 0; at < lines.length; at++) {
    if (lines[at] === FRESH) fresh = true;
    const [, fence, language] = FENCE.exec(lines[at] ?? "") ?? [];
    if (fence === undefined || language === undefined) continue;
    const end = lines.indexOf(fence, at + 1);
    if (end < 0) throw new Error(`line ${String(at + 1)}: the block is not closed`);
    const text = lines.slice(at + 1, end).join("\n") + "\n";
    blocks.push({ line: at + 1, language, text, use: useOf(lineAbove(lines, at)), fresh });
    fresh = false;
    at = end;
  }
  return blocks;
}

/** The last line before it that is not blank. */
const lineAbove = (lines: readonly string[], at: number): string =>
  lines.slice(0, at).findLast((line) => line.trim() !== "") ?? "";

function useOf(above: string): Use {
  const [, words] = /^<!-- (.*) -->$/.exec(above) ?? [];
  if (words === undefined || OTHER_MARKS.test(words)) return { kind: "unmarked" };
  const [, name] = /^file ([\w./-]+)$/.exec(words) ?? [];
  if (name !== undefined) return { kind: "file", name };
  const [, reason] = /^not run: (.+)$/.exec(words) ?? [];
  if (reason !== undefined) return { kind: "ignored", reason };
  if (words === "output") return { kind: "output" };
  const run = /^run(?:, exits (\d+))?$/.exec(words);
  if (run !== null) return { kind: "run", exits: Number(run[1] ?? 0) };
  throw new Error(`not understood: ${above}`);
}

/** Whether a text is what the document shows, line by line. */
export function isShown(shown: string, printed: string): boolean {
  const pattern = shown.trimEnd().split("…").map(escaped).join(".*");
  return new RegExp(`^${pattern}$`).test(printed.trimEnd());
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
