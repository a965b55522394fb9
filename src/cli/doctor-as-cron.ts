import { homedir, userInfo } from "node:os";
import { cronTimes } from "../config/cadence.ts";
import { installedLines, type InstalledLine } from "../cron/crontab-block.ts";
import { findCrontab } from "../cron/crontab-command.ts";
import { stableNode } from "../cron/stable-node.ts";
import { blocksIn } from "../cron/table.ts";
import { tryAsCron } from "../doctor/as-cron.ts";
import { cronShell, ownShell } from "../doctor/cron-shell.ts";
import { exitOf, warn, type Diagnosis, type Verdict } from "../doctor/verdict.ts";
import { MemqError } from "../errors.ts";
import { crontabCommand, crontabLine } from "./crontab-line.ts";
import { fileOf } from "./crontab-table.ts";
import { diagnosisJson, diagnosisLines, summaryLine } from "./doctor-lines.ts";
import { scriptPath } from "./package-files.ts";
import type { Session } from "./shell.ts";

/** `memq doctor --as-cron`: tries where cron would start it what a run needs, and shows the line that works. */
export async function doctorAsCron(session: Session): Promise<number> {
  const configFile = fileOf(session);
  const installed = await installedIn(session, configFile);
  const { lines } = installed;
  const fresh = crontabCommand(configFile);
  const user = cronUser();
  const queue = session.parsed.text("queue");
  const [cron, ...queues] = await tryAsCron(cronShell(user), {
    user,
    configFile,
    node: stableNode(),
    memq: scriptPath("memq"),
    commands: lines.length > 0 || fresh === undefined ? lines.map(({ command }) => command) : [fresh],
    here: ownShell(session.io.env),
    ...(queue !== undefined && { queue }),
  });
  const diagnoses = [{ ...cron, verdicts: [...installed.verdicts, ...cron.verdicts] }, ...queues];
  const works = lines.length > 0 && !cron.verdicts.some(spoilsLine);
  const shown = works ? lines.map(({ line }) => line) : [crontabLine(configFile)];
  const known = shown.filter((line) => line !== undefined);
  tell(session, diagnoses, known);
  return exitOf(diagnoses);
}

const spoilsLine = ({ check, verdict }: Verdict): boolean =>
  (check === "line" || check === "log") && verdict !== "ok";

function tell(
  { io, parsed, print, say }: Session,
  diagnoses: readonly Diagnosis[],
  lines: readonly string[],
): void {
  if (parsed.flag("json")) {
    print(JSON.stringify({ ...diagnosisJson(diagnoses), lines }));
    return;
  }
  print(diagnosisLines(diagnoses, io).join("\n"));
  say(summaryLine(diagnoses));
  if (lines.length > 0) say("The line for your crontab (memq crontab install writes it):");
  for (const line of lines) print(line);
}

interface Installed {
  readonly lines: readonly InstalledLine[];
  readonly verdicts: readonly Verdict[];
}

/** The lines of this configuration in the user's crontab. That none can be read is worth a word, no more. */
async function installedIn({ io }: Session, configFile: string): Promise<Installed> {
  try {
    const table = (await findCrontab(io.env).read()) ?? "";
    const blocks = blocksIn(table, (mark) => mark.configFile === configFile);
    const lines = blocks.flatMap(installedLines);
    return { lines, verdicts: lines.length === 0 ? [NO_LINE] : lines.flatMap(judgeTime) };
  } catch (error) {
    if (!(error instanceof MemqError)) throw error;
    return { lines: [], verdicts: [warn("crontab", { says: error.message, fix: error.next })] };
  }
}

/** A line that works, but whose time does not come again and again. */
function judgeTime({ cron }: InstalledLine): readonly Verdict[] {
  if (cronTimes(cron) !== undefined) return [];
  const says = `${JSON.stringify(cron)} in your crontab is no time that comes again and again`;
  return [warn("crontab", { says, fix: "memq crontab install writes the line anew" })];
}

const NO_LINE = warn("crontab", {
  says: "your crontab has no line of it yet",
  fix: "memq crontab install adds it",
});

function cronUser(): { readonly name: string; readonly home: string } {
  try {
    const { username, homedir: home } = userInfo();
    return { name: username, home };
  } catch {
    return { name: "", home: homedir() }; // a number without a name, as in some containers
  }
}
