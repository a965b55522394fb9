import { basename, dirname } from "node:path";
import { MemqError } from "../errors.ts";
import type { Cadence } from "./cadence.ts";
import { forCrontab, shellWord } from "./shell-word.ts";

/** What cron is to start, and when. Every path is absolute. */
export interface RunPlan {
  readonly configFile: string;
  /** Undefined: every queue of the configuration. */
  readonly queue?: string;
  readonly cadence: Cadence;
  readonly node: string;
  /** The command `runjobs` of this package. */
  readonly script: string;
  /** What a run says goes there; undefined: cron mails it. */
  readonly log?: string;
  /** Who gets the mail; "" = nobody; undefined: as the table says, at last its owner. */
  readonly mailTo?: string;
  /** Whose runs they are. */
  readonly user: string;
}

// Debian's cron cuts longer commands, or refuses the whole table.
const MAX_COMMAND_BYTES = 998;
const CONTROL = /[\u0000-\u001f\u007f]/;

/** What /bin/sh has to do: cron has no PATH to speak of and starts in the home folder, so it says where everything is. */
export function shellCommand({
  configFile,
  queue,
  node,
  script,
  log,
}: Omit<RunPlan, "cadence" | "user">): string {
  const named = basename(configFile) === "config.ini" ? [] : ["--config", basename(configFile)];
  const run = [node, script, ...named, ...(queue === undefined ? [] : [queue])].map(shellWord).join(" ");
  const output = log === undefined ? "" : ` >> ${shellWord(log)} 2>&1`;
  return `cd ${shellWord(dirname(configFile))} && ${run}${output}`;
}

/** Time and command, as a user's own crontab has them. @throws MemqError USAGE when cron could not take the line. */
export const crontabLine = (plan: RunPlan): string => `${plan.cadence.cron} ${crontabCommand(plan)}`;

/** The same with the user's name between them, as the files of /etc/cron.d have them. @throws MemqError USAGE */
export const cronDLine = (plan: RunPlan): string =>
  `${plan.cadence.cron} ${plan.user} ${crontabCommand(plan)}`;

/** The command alone, with `%` as a crontab wants it. @throws MemqError USAGE when cron could not take it. */
export function crontabCommand(plan: RunPlan): string {
  assertPlain(plan);
  const command = forCrontab(shellCommand(plan));
  const bytes = Buffer.byteLength(command);
  if (bytes <= MAX_COMMAND_BYTES) return command;
  throw new MemqError(
    "USAGE",
    `the command would have ${String(bytes)} bytes, and cron takes ${String(MAX_COMMAND_BYTES)}: use shorter paths`,
  );
}

/** Refuses what no line could hold. @throws MemqError USAGE */
export function assertPlain({
  configFile,
  node,
  script,
  log = "",
}: Pick<RunPlan, "configFile" | "node" | "script" | "log">): void {
  const bad = [configFile, node, script, log].find((path) => CONTROL.test(path));
  if (bad === undefined) return;
  throw new MemqError(
    "USAGE",
    `${JSON.stringify(bad)} has a line break or the like in it: no line can name it`,
  );
}
