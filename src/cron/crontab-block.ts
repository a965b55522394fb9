import type { Mark } from "./mark.ts";
import { crontabLine, type RunPlan } from "./run-plan.ts";
import { mailToLine, type Block, type Table } from "./table.ts";

/** Under which mark a plan stands in the user's crontab. */
export const markOf = ({ configFile, queue }: RunPlan): Mark => ({
  configFile,
  ...(queue !== undefined && { queue }),
});

/**
 * The lines of a plan. An assignment in a crontab holds for every line below it: a MAILTO of ours is taken back.
 * @throws MemqError USAGE when cron could not take the line.
 */
export function blockLines(plan: RunPlan, before: Table): readonly string[] {
  const line = crontabLine(plan);
  const notes = [
    `# ${plan.cadence.words}; "memq crontab install" and "remove" change these lines, and no others`,
    ...(plan.log === undefined
      ? []
      : ["# the log grows for ever unless something rotates it, such as logrotate(8)"]),
  ];
  if (plan.mailTo === undefined) return [...notes, line];
  return [
    ...notes,
    mailToAssignment(plan.mailTo),
    line,
    "# for the lines below as before:",
    mailToLine(before) ?? mailToAssignment(plan.user),
  ];
}

/** `""` is how cron is told to mail nobody. */
export const mailToAssignment = (address: string): string => `MAILTO=${address === "" ? '""' : address}`;

/** The line of a block that cron acts on, and its time. */
export interface InstalledLine {
  readonly line: string;
  /** Five fields or a nickname, as written. */
  readonly cron: string;
  /** What stands behind the time. */
  readonly command: string;
}

const ASSIGNMENT = /^\s*["']?\w+["']?\s*=/;
const TIMED = /^\s*(@\w+|\S+(?:\s+\S+){4})\s+(\S.*)$/;

/** The lines of a block that cron acts on. */
export const installedLines = ({ lines }: Block): readonly InstalledLine[] =>
  lines.flatMap((line) => {
    if (/^\s*#/.test(line) || ASSIGNMENT.test(line)) return [];
    const [, cron, command] = TIMED.exec(line) ?? [];
    return cron === undefined || command === undefined ? [] : [{ line, cron, command }];
  });
