import { blockLines, markOf } from "../cron/crontab-block.ts";
import { cronDFile, cronDPath } from "../cron/cron-d.ts";
import { markLine } from "../cron/mark.ts";
import type { RunPlan } from "../cron/run-plan.ts";
import { systemdUnits } from "../cron/systemd.ts";
import { EXIT, MemqError } from "../errors.ts";
import { rotationHint, warnOf } from "./crontab-telling.ts";
import { planOf } from "./run-plan.ts";
import type { Session } from "./shell.ts";

/** A text for stdout, and what to do with it. */
interface Printed {
  readonly text: string;
  readonly next: readonly string[];
}

/** `memq crontab print`: shows the lines, and changes nothing. */
export function printPlan(session: Session): Promise<number> {
  const { parsed, print, say } = session;
  refuseMixtures(session);
  const plan = planOf(session);
  const { text, next } = formOf(session, plan);
  if (parsed.flag("json")) {
    print(JSON.stringify({ text, cron: plan.cadence.cron, words: plan.cadence.words }));
  } else {
    print(text.replace(/\n$/, ""));
    for (const line of next) say(line);
    if (plan.log !== undefined) for (const line of rotationHint(plan.log)) say(line);
  }
  warnOf(session, plan);
  return Promise.resolve(EXIT.ok);
}

function refuseMixtures({ parsed }: Session): void {
  const [systemd, cronD] = [parsed.flag("systemd"), parsed.flag("cron-d")];
  if (systemd && cronD) throw new MemqError("USAGE", "--systemd and --cron-d: one of them at a time");
  if (systemd && parsed.text("mailto") !== undefined) {
    throw new MemqError("USAGE", "--mailto: systemd mails nobody, what a run says is in its journal");
  }
  if (!systemd && !cronD && parsed.text("user") !== undefined) {
    throw new MemqError("USAGE", "--user: a user's own crontab names no user (see --cron-d and --systemd)");
  }
}

function formOf({ parsed }: Session, plan: RunPlan): Printed {
  if (parsed.flag("systemd")) return systemdForm(plan);
  if (parsed.flag("cron-d"))
    return { text: cronDFile(plan), next: [`Save it as root: … | sudo tee ${cronDPath(plan)}`] };
  const mark = markOf(plan);
  const lines = [
    markLine({ ...mark, edge: "BEGIN" }),
    ...blockLines(plan, ""),
    markLine({ ...mark, edge: "END" }),
  ];
  return { text: lines.join("\n"), next: ["memq crontab install adds these lines to your crontab."] };
}

function systemdForm(plan: RunPlan): Printed {
  const units = systemdUnits(plan);
  const [, timer] = units;
  const name = timer.path.split("/").at(-1) ?? "";
  return {
    text: units.map(({ path, text }) => `# ${path}\n${text}`).join("\n"),
    next: [`Save both as root, then: systemctl daemon-reload && systemctl enable --now ${name}`],
  };
}
