import { cronTimes } from "../config/cadence.ts";
import { installedLines } from "../cron/crontab-block.ts";
import { findCrontab } from "../cron/crontab-command.ts";
import { blocksIn } from "../cron/table.ts";
import { MemqError } from "../errors.ts";

/** When the crontab starts runs that drain a queue: cron expressions, one for each line; none: it does not say. */
export type InstalledEvery = (queue: string) => readonly string[];

/**
 * What the user's crontab says of a configuration, in the lines that `memq crontab install` wrote. Nothing where
 * it cannot be read, and nothing of a line whose time does not come again, such as `@reboot`.
 */
export async function installedEvery(
  env: NodeJS.ProcessEnv,
  configFile: string | undefined,
): Promise<InstalledEvery> {
  try {
    const table = (await findCrontab(env).read()) ?? "";
    const blocks = blocksIn(table, (mark) => mark.configFile === configFile);
    return (queue) =>
      blocks
        .filter(({ mark }) => mark.queue === undefined || mark.queue === queue)
        .flatMap(installedLines)
        .flatMap(({ cron }) => (cronTimes(cron) === undefined ? [] : [cron]));
  } catch (error) {
    if (error instanceof MemqError) return () => []; // no cron here, or not for this user
    throw error;
  }
}
