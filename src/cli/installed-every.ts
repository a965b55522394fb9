import { findCrontab } from "../cron/crontab-command.ts";
import { installedLines } from "../cron/crontab-block.ts";
import { blocksIn } from "../cron/table.ts";
import { MemqError } from "../errors.ts";

/** When the user's crontab starts runs of a configuration; undefined: it cannot be read, or does not say. */
export async function installedEvery(
  env: NodeJS.ProcessEnv,
  configFile: string | undefined,
): Promise<string | undefined> {
  try {
    const table = (await findCrontab(env).read()) ?? "";
    const blocks = blocksIn(table, (mark) => mark.configFile === configFile);
    return blocks.flatMap(installedLines)[0]?.cron;
  } catch (error) {
    if (error instanceof MemqError) return undefined; // no cron here, or not for this user
    throw error;
  }
}
