import { nearest } from "../task/nearest.ts";
import { type Document, type Entry, labelOf, NAMED_KINDS, type Section } from "./document.ts";
import { type Fault, type Origin, quote } from "./fault.ts";
import { type Line, readLine } from "./line.ts";
import { nameFault } from "./name.ts";

/** A section's line and the lines below it; the first block has no header. */
interface Block {
  readonly header?: Numbered<"section" | "brokenSection">;
  readonly lines: Numbered<"entry" | "brokenEntry">[];
}

interface Numbered<K extends Line["kind"]> {
  readonly line: Extract<Line, { kind: K }>;
  readonly number: number;
}

type Header = Omit<Section, "entries">;

/**
 * Reads the text of a config.ini line by line: every section and key with its line, and a fault for
 * whatever the INI grammar would silently cut, move, merge or drop. Never throws.
 */
export function scan(text: string): Document {
  const [first, ...blocks] = blocksOf(text);
  const faults: Fault[] = [];
  const top: Section = { kind: "top", name: "", origin: { kind: "file" }, entries: entriesOf(first, faults) };
  const sections: Section[] = [];
  const lineOfLabel = new Map<string, number>();
  for (const block of blocks) {
    const header = headerOf(block, lineOfLabel, faults);
    const entries = entriesOf(block, faults, header);
    // Lines below a broken header belong nowhere, and above all not to the section before it.
    if (header !== undefined) sections.push({ ...header, entries });
  }
  return { top, sections, faults };
}

function blocksOf(text: string): readonly [Block, ...Block[]] {
  let current: Block = { lines: [] };
  const blocks: [Block, ...Block[]] = [current];
  for (const [index, written] of linesOf(text).entries()) {
    const line = readLine(written);
    const number = index + 1;
    if (line.kind === "section" || line.kind === "brokenSection") {
      current = { header: { line, number }, lines: [] };
      blocks.push(current);
    } else if (line.kind !== "nothing") {
      current.lines.push({ line, number });
    }
  }
  return blocks;
}

/** A byte order mark is no text; any of the three line ends counts, as in editors. */
const linesOf = (text: string): readonly string[] => text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);

const onLine = (line: number): Origin => ({ kind: "line", line });

function headerOf(block: Block, lineOfLabel: Map<string, number>, faults: Fault[]): Header | undefined {
  if (block.header === undefined) return undefined;
  const { line, number } = block.header;
  const origin = onLine(number);
  const says = line.kind === "brokenSection" ? line.says : labelFault(line.label);
  if (says !== undefined || line.kind === "brokenSection") {
    faults.push({ origin, says: says ?? "", section: spoiltBy(line) });
    return undefined;
  }
  const earlier = lineOfLabel.get(line.label);
  if (earlier === undefined) lineOfLabel.set(line.label, number);
  else
    faults.push({
      origin,
      says: `[${line.label}] stands on line ${String(earlier)} already`,
      section: line.label,
    });
  const { kind, name } = splitLabel(line.label);
  return kind === undefined ? undefined : { kind, name, origin };
}

const spoiltBy = (line: Extract<Line, { kind: "section" | "brokenSection" }>): string =>
  line.kind === "section" ? line.label : line.says;

function splitLabel(label: string): { kind: (typeof NAMED_KINDS)[number] | undefined; name: string } {
  const dot = label.indexOf(".");
  const kind = NAMED_KINDS.find((candidate) => candidate === label.slice(0, Math.max(dot, 0)));
  return { kind, name: label.slice(dot + 1) };
}

function labelFault(label: string): string | undefined {
  const { kind, name } = splitLabel(label);
  if (kind === undefined) return unknownSection(label);
  const fault = nameFault(name);
  return fault === undefined ? undefined : `[${kind}.NAME]: the name ${quote(name)} ${fault}`;
}

function unknownSection(label: string): string {
  const dot = label.indexOf(".");
  const word = dot === -1 ? label : label.slice(0, dot);
  const kind = nearest(word, NAMED_KINDS);
  const meant =
    kind === undefined ? `queue.${label}` : `${kind}.${dot === -1 ? "NAME" : label.slice(dot + 1)}`;
  const hint = nameFault(label) === undefined ? ` (did you mean [${meant}]?)` : "";
  return `unknown section ${quote(`[${label}]`)}${hint}: there are [queue.NAME], [schedule.NAME] and [event.NAME]`;
}

function entriesOf(block: Block, faults: Fault[], header?: Header): readonly Entry[] {
  const section = header === undefined ? block.header && spoiltBy(block.header.line) : labelOf(header);
  const lineOfKey = new Map<string, number>();
  return block.lines.flatMap(({ line, number }) => {
    const says = line.kind === "brokenEntry" ? line.says : repeatFault(line.key, lineOfKey);
    if (says !== undefined)
      faults.push({ origin: onLine(number), says, ...(section !== undefined && { section }) });
    if (line.key !== undefined) lineOfKey.set(line.key, number);
    return entryOf(line, onLine(number), says === undefined);
  });
}

/** The line's entry, if it has one; a second value for a key is none. */
function entryOf(line: Block["lines"][number]["line"], origin: Origin, isSound: boolean): readonly Entry[] {
  if (line.kind === "entry") return isSound ? [{ key: line.key, text: line.text, origin }] : [];
  return line.key === undefined ? [] : [{ key: line.key, text: "", origin, broken: true }];
}

/** The INI grammar would let the last one win; only a list may repeat its key. */
function repeatFault(key: string, lineOfKey: ReadonlyMap<string, number>): string | undefined {
  const earlier = lineOfKey.get(key);
  if (earlier === undefined || key.endsWith("[]")) return undefined;
  return `${quote(key)} stands on line ${String(earlier)} already`;
}
