import { NAME_PATTERN } from "./names.ts";

/**
 * What stands in a list: names of records, each followed by a comma. `~16` behind a name: so many tasks are
 * in its record. `!`: it may stand in a list already, so nothing is lost when its record is gone.
 */
export interface ListEntry {
  readonly name: string;
  /** Tasks in the record. */
  readonly members: number;
  readonly again: boolean;
}

/** An entry as it was found. */
export interface FoundEntry extends ListEntry {
  readonly text: string;
  /** Where the next one begins. */
  readonly end: number;
}

export const entryText = ({ name, members, again }: ListEntry): string =>
  `${name}${members > 1 ? `~${String(members)}` : ""}${again ? "!" : ""}`;

/** The entry of a record that is, or may be, listed already. */
export const againText = (name: string): string => `${name}!`;

// At the end of a piece that begins with another tool's bytes, which ended in no comma, it is still an entry.
const ENTRY = new RegExp(`(?:^|[^0-9A-Za-z.~!-])(${NAME_PATTERN})(?:~(\\d{1,4}))?(!?)$`);

const PLAIN_ENTRY = /^[0-9A-Za-z]{1,40}$/; // most are: a name and nothing else

/** Undefined for bytes that are no entry. */
export function parseEntry(text: string): (ListEntry & { readonly text: string }) | undefined {
  return foundEntry(text, text.length + 1);
}

function foundEntry(text: string, end: number): FoundEntry | undefined {
  if (PLAIN_ENTRY.test(text)) return { text, name: text, members: 1, again: false, end };
  const [, name, members, again] = ENTRY.exec(text) ?? [];
  if (name === undefined) return undefined;
  const entry = { name, members: Math.max(1, Number(members ?? 1)), again: again === "!" };
  return { text: entryText(entry), ...entry, end };
}

/** The name in an entry; for bytes that are none, one that no record has. */
export const nameIn = (text: string): string =>
  PLAIN_ENTRY.test(text) ? text : (parseEntry(text)?.name ?? "-");

/** A stretch of a list. */
export interface Stretch {
  readonly entries: readonly FoundEntry[];
  /** Where the next stretch begins. */
  readonly end: number;
  /** Pieces that are no entries. */
  readonly broken: number;
}

/** Entries of a list from `from` on: at least one if there is one, then as many as `tasks` and `most` allow. */
export function stretchOf(
  list: string,
  from: number,
  limit: { readonly tasks: number; readonly most: number },
): Stretch {
  const entries: FoundEntry[] = [];
  let end = from;
  let broken = 0;
  let tasks = 0;
  while (end < list.length && entries.length < limit.most) {
    const comma = list.indexOf(",", end);
    const stop = comma < 0 ? list.length : comma;
    const entry = foundEntry(list.slice(end, stop), stop + 1);
    if (entry === undefined) broken += 1;
    else if (entries.length > 0 && tasks + entry.members > limit.tasks) break;
    else {
      entries.push(entry);
      tasks += entry.members;
    }
    end = stop + 1;
  }
  return { entries, end: Math.min(end, list.length), broken };
}

/** How many tasks stand in a list from `from` on. */
export function countTasks(list: string, from = 0): number {
  if (!list.includes("~", from) && !list.includes(" ", from)) return countCommas(list, from);
  return stretchOf(list, from, { tasks: Infinity, most: Infinity }).entries.reduce(
    (sum, entry) => sum + entry.members,
    0,
  );
}

function countCommas(list: string, from: number): number {
  let count = 0;
  for (let at = list.indexOf(",", from); at >= 0; at = list.indexOf(",", at + 1)) count += 1;
  return count;
}
