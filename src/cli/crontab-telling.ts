import { installedLines } from "../cron/crontab-block.ts";
import { readCadence } from "../cron/cadence.ts";
import { momentsInWords } from "../cron/moments-in-words.ts";
import { nextTimes } from "../cron/next-times.ts";
import { passingPlace } from "../cron/stable-node.ts";
import type { RunPlan } from "../cron/run-plan.ts";
import type { Block } from "../cron/table.ts";
import { isoTime, printable } from "./printable.ts";
import type { Session } from "./shell.ts";

const SHOWN_MOMENTS = 3;

/** A line of a crontab, and when cron will start it. */
export interface Outlook {
  readonly line: string;
  /** Undefined: every queue. */
  readonly queue?: string;
  /** Undefined when the time is none: somebody has changed it by hand. */
  readonly words?: string;
  /** In ms. */
  readonly next: readonly number[];
}

/** The lines of blocks that cron acts on, and when it will. */
export const outlooks = (blocks: readonly Block[], nowMs: number): readonly Outlook[] =>
  blocks.flatMap((block) =>
    installedLines(block).map(({ line, cron }): Outlook => {
      const cadence = readCadence(cron);
      const { queue } = block.mark;
      const whose = { line, ...(queue !== undefined && { queue }) };
      if ("fault" in cadence) return { ...whose, next: [] };
      const { times, words } = cadence.value;
      return { ...whose, words, next: nextTimes(times, nowMs, SHOWN_MOMENTS) };
    }),
  );

/** For people, under the line. */
export const outlookText = ({ words, next }: Outlook, nowMs: number): string =>
  words === undefined
    ? "its time is not a cron expression that memq knows"
    : `${words}; next: ${momentsInWords(next, nowMs)}`;

/** For programs. */
export const outlookJson = ({ next, ...rest }: Outlook): object => ({ ...rest, next: next.map(isoTime) });

/** What the person who asks for a line should know about it, and cron would not tell. */
export function warnOf(session: Session, plan: RunPlan): void {
  for (const path of [plan.node, plan.script]) {
    const why = passingPlace(path);
    if (why !== undefined) session.complain(`${printable(path)} ${why}.`);
  }
  const lost = Object.keys(session.io.env).filter(
    (name) => name.startsWith("MEMQ_") && name !== "MEMQ_CONFIG",
  );
  if (lost.length > 0) session.complain(`${lost.sort().join(", ")}: set here, but not for cron.`);
}

/** How to keep a log from growing for ever; to be put into a file of logrotate(8). */
export const rotationHint = (log: string): readonly string[] => [
  "The log grows for ever; logrotate(8) keeps it short with a file in /etc/logrotate.d such as:",
  `  "${printable(log)}" { weekly rotate 8 missingok notifempty compress delaycompress }`,
];
