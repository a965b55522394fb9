import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { inspectConfig } from "../config/load.ts";
import { backUp } from "../cron/backup.ts";
import { blockLines, markOf } from "../cron/crontab-block.ts";
import { findCrontab } from "../cron/crontab-command.ts";
import { editCrontab, type Edited } from "../cron/edit-crontab.ts";
import { isSameMark, type Mark } from "../cron/mark.ts";
import { blocksIn, withBlock, withoutBlocks, type Block, type Table } from "../cron/table.ts";
import { EXIT, MemqError } from "../errors.ts";
import { configPlace } from "./configuration.ts";
import { outlookJson, outlooks, outlookText, rotationHint, warnOf } from "./crontab-telling.ts";
import { counted } from "./printable.ts";
import { planOf } from "./run-plan.ts";
import type { Session } from "./shell.ts";

/** `memq crontab install`: puts the block into the user's crontab, in the place of an earlier one. */
export async function install(session: Session): Promise<number> {
  const plan = planOf(session);
  const mark = markOf(plan);
  const edited = await editCrontab(findCrontab(session.io.env), {
    change: (table) => withBlock(table, mark, (before) => blockLines(plan, before)),
    backUp: backUpTo(plan.storePath),
  });
  const blocks = blocksIn(edited.table, (other) => isSameMark(other, mark));
  session.say(edited.isChanged ? "Installed in your crontab:" : "Your crontab has these lines already:");
  tellBlocks(session, blocks, edited);
  tellBackup(session, edited);
  if (plan.log !== undefined) for (const line of rotationHint(plan.log)) session.say(line);
  session.say("memq doctor --as-cron tries it the way cron starts it.");
  warnOf(session, plan);
  return EXIT.ok;
}

/** `memq crontab remove`: takes the blocks of this configuration out; it may be gone or wrong by now. */
export async function remove(session: Session): Promise<number> {
  const owns = ownership(session);
  let removed = 0;
  const edited = await editCrontab(findCrontab(session.io.env), {
    change: (table) => {
      removed = blocksIn(table, owns).length;
      return withoutBlocks(table, owns);
    },
    backUp: backUpTo(storeOf(session)),
  });
  if (session.parsed.flag("json")) session.print(JSON.stringify({ removed, backup: edited.backup }));
  else if (removed === 0) session.say(`Your crontab has no lines for ${fileOf(session)}.`);
  else session.say(`${counted(removed, "block")} removed from your crontab.`);
  tellBackup(session, edited);
  return EXIT.ok;
}

/** `memq crontab show`: the blocks of this configuration, and when cron starts them. */
export async function show(session: Session): Promise<number> {
  const table = (await findCrontab(session.io.env).read()) ?? "";
  const blocks = blocksIn(table, ownership(session));
  if (blocks.length === 0) {
    session.say(`Your crontab has no lines for ${fileOf(session)}; memq crontab install adds them.`);
  }
  tellBlocks(session, blocks);
  return EXIT.ok;
}

/** Lines are data, their meaning is talk. */
function tellBlocks(session: Session, blocks: readonly Block[], edited?: Edited): void {
  const now = Date.now();
  const seen = outlooks(blocks, now);
  if (session.parsed.flag("json")) {
    const change = edited && { changed: edited.isChanged, backup: edited.backup };
    session.print(JSON.stringify({ config: fileOf(session), ...change, lines: seen.map(outlookJson) }));
    return;
  }
  for (const one of seen) {
    session.print(one.line);
    session.say(`  ${outlookText(one, now)}`);
  }
}

function tellBackup({ parsed, say }: Session, { backup }: Edited): void {
  if (backup !== undefined && !parsed.flag("json")) say(`The crontab before is kept in ${backup}`);
}

/** The blocks of this configuration; with --queue only those of that queue. */
function ownership(session: Session): (mark: Mark) => boolean {
  const configFile = fileOf(session);
  const queue = session.parsed.text("queue");
  return (mark) => mark.configFile === configFile && (queue === undefined || mark.queue === queue);
}

/** Where the configuration is or was. */
export function fileOf({ io, parsed }: Session): string {
  return resolve(io.cwd(), parsed.text("config") ?? (io.env["MEMQ_CONFIG"] || "config.ini"));
}

/** Where copies go when the configuration cannot be asked any more. */
function storeOf(session: Session): string {
  const folder = dirname(fileOf(session));
  try {
    const { config } = inspectConfig(configPlace(session.parsed, session.io));
    if (config !== undefined) return config.queues[0].storePath;
  } catch (error) {
    if (!(error instanceof MemqError)) throw error; // gone or unreadable: lines that name it still can go
  }
  return existsSync(folder) ? join(folder, "memq-data") : join(homedir(), ".memq");
}

const backUpTo =
  (storePath: string) =>
  (table: Table): string =>
    backUp(table, storePath, Date.now());
