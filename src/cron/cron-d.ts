import { mailToAssignment } from "./crontab-block.ts";
import { cronDLine, type RunPlan } from "./run-plan.ts";
import { unitName } from "./unit-name.ts";

/** A whole file for /etc/cron.d. @throws MemqError USAGE when cron could not take the line. */
export function cronDFile(plan: RunPlan): string {
  const { cadence, configFile, queue, mailTo, user } = plan;
  const what = queue === undefined ? "" : `, queue ${JSON.stringify(queue)}`;
  return [
    `# memq ${JSON.stringify(configFile)}${what}: ${cadence.words}.`,
    `# Place: ${cronDPath(plan)} (no dot in the name, owner root, mode 0644).`,
    "SHELL=/bin/sh",
    mailToAssignment(mailTo ?? user),
    cronDLine(plan),
    "",
  ].join("\n");
}

/** Where it goes. */
export const cronDPath = (plan: Pick<RunPlan, "configFile" | "queue">): string =>
  `/etc/cron.d/${unitName(plan)}`;
