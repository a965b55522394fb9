import { cadenceOf, DEFAULT_EVERY } from "../cron/cadence.ts";
import { crontabCommand as commandOf, crontabLine as lineOf, type RunPlan } from "../cron/run-plan.ts";
import { stableNode } from "../cron/stable-node.ts";
import { MemqError } from "../errors.ts";
import { scriptPath } from "./package-files.ts";

/**
 * The crontab line that runs a configuration every ten minutes. Undefined when no line of a crontab can name
 * its paths.
 */
export const crontabLine = (configFile: string, node = stableNode()): string | undefined =>
  ifPossible(lineOf, { configFile, node });

/** The same without the time. */
export const crontabCommand = (configFile: string, node = stableNode()): string | undefined =>
  ifPossible(commandOf, { configFile, node });

function ifPossible(
  write: (plan: RunPlan) => string,
  paths: Pick<RunPlan, "configFile" | "node">,
): string | undefined {
  const cadence = cadenceOf(DEFAULT_EVERY);
  if ("fault" in cadence) throw new MemqError("BUG", `the default cadence ${cadence.fault}`);
  try {
    return write({ ...paths, cadence: cadence.value, script: scriptPath("runjobs"), user: "" });
  } catch (error) {
    if (error instanceof MemqError && error.code === "USAGE") return undefined;
    throw error;
  }
}
