import { MemqError } from "../errors.ts";
import type { CrontabCommand } from "./crontab-command.ts";
import type { Table } from "./table.ts";

/** What an edit of the user's crontab came to. */
export interface Edited {
  readonly isChanged: boolean;
  /** The table as it is now. */
  readonly table: Table;
  /** Where the table before is kept; undefined when there was none, or nothing was changed. */
  readonly backup?: string;
}

/** How a table is changed: purely, and where a copy goes before. */
export interface Edit {
  readonly change: (table: Table) => Table;
  /** Answers where it is. */
  readonly backUp: (table: Table) => string;
}

/**
 * Reads the table, changes it, and reads again what cron has taken. A table that needs no change is not written.
 * @throws MemqError CRONTAB_UNUSABLE when a step fails; the table is then as it was, or the error says where it is.
 */
export async function editCrontab(crontab: CrontabCommand, { change, backUp }: Edit): Promise<Edited> {
  const before = (await crontab.read()) ?? "";
  const wanted = change(before);
  if (wanted === before) return { isChanged: false, table: before };
  const backup = before === "" ? undefined : backUp(before);
  await crontab.write(wanted);
  const after = (await crontab.read()) ?? "";
  if (after === wanted) return { isChanged: true, table: after, ...(backup !== undefined && { backup }) };
  throw new MemqError(
    "CRONTAB_UNUSABLE",
    "the crontab is not what was written to it: somebody else changes it, or this cron changes what it takes; " +
      (backup === undefined ? "it was empty before" : `the table before is in ${backup}`),
  );
}
