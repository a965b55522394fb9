import { homedir, userInfo } from "node:os";
import { inspectConfig } from "../config/load.ts";
import { installedLines } from "../cron/crontab-block.ts";
import { findCrontab } from "../cron/crontab-command.ts";
import { stableNode } from "../cron/stable-node.ts";
import { blocksIn } from "../cron/table.ts";
import { tryAsCron, type CronTrial } from "../doctor/as-cron.ts";
import { cronShell } from "../doctor/cron-shell.ts";
import { EXIT, MemqError, worstExit } from "../errors.ts";
import { columns } from "./columns.ts";
import { configPlace } from "./configuration.ts";
import { crontabCommand, crontabLine } from "./crontab-line.ts";
import { fileOf } from "./crontab-table.ts";
import { scriptPath } from "./package-files.ts";
import { printable } from "./printable.ts";
import type { Session } from "./shell.ts";

/** `memq doctor --as-cron`: tries where cron would start it what a run needs, and shows the line that works. */
export async function doctorAsCron(session: Session): Promise<number> {
  const configFile = fileOf(session);
  const line = crontabLine(configFile);
  const installed = await installedIn(session, configFile);
  const fresh = crontabCommand(configFile);
  const trials = await tryAsCron(cronShell(cronUser()), {
    user: cronUser(),
    configFile,
    node: stableNode(),
    memq: scriptPath("memq"),
    commands: installed.commands.length > 0 || fresh === undefined ? installed.commands : [fresh],
    worksHere: worksHere(session),
  });
  const all = [...installed.trials, ...trials];
  tell(session, all, line);
  return worstExit(all.map(({ exit }) => exit));
}

function tell({ parsed, print, say }: Session, trials: readonly CronTrial[], line: string | undefined): void {
  if (parsed.flag("json")) {
    print(JSON.stringify({ ok: trials.every(({ verdict }) => verdict !== "fail"), trials, line }));
    return;
  }
  const rows = trials.map(({ verdict, about, says }) => [verdict, about, printable(says)]);
  for (const [at, row] of columns(rows).entries()) {
    const fix = trials[at]?.fix;
    print(row);
    if (fix !== undefined) print(`      ${printable(fix)}`);
  }
  if (line === undefined) return;
  say("The line for your crontab (memq crontab install writes it):");
  print(line);
}

interface Installed {
  readonly commands: readonly string[];
  readonly trials: readonly CronTrial[];
}

/** The lines of this configuration in the user's crontab. That none can be read is worth a word, no more. */
async function installedIn({ io }: Session, configFile: string): Promise<Installed> {
  try {
    const table = (await findCrontab(io.env).read()) ?? "";
    const blocks = blocksIn(table, (mark) => mark.configFile === configFile);
    const commands = blocks.flatMap(installedLines).map(({ command }) => command);
    return { commands, trials: commands.length === 0 ? [warning("your crontab has no line of it yet")] : [] };
  } catch (error) {
    if (!(error instanceof MemqError)) throw error;
    return { commands: [], trials: [warning(error.message)] };
  }
}

const warning = (says: string): CronTrial => ({ about: "crontab", verdict: "warn", says, exit: EXIT.ok });

function worksHere({ parsed, io }: Session): boolean {
  try {
    return inspectConfig(configPlace(parsed, io)).error === undefined;
  } catch (error) {
    if (error instanceof MemqError) return false;
    throw error;
  }
}

function cronUser(): { readonly name: string; readonly home: string } {
  try {
    const { username, homedir: home } = userInfo();
    return { name: username, home };
  } catch {
    return { name: "", home: homedir() }; // a number without a name, as in some containers
  }
}
