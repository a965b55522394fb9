import { basename, dirname } from "node:path";
import type { RunPlan } from "./run-plan.ts";

const LONGEST = 60; // file names are read by people

/**
 * A name for files of the system, after the project's folder: `memq-shop`. Without dots, because cron leaves out
 * the files of /etc/cron.d that have one.
 */
export function unitName({ configFile, queue = "" }: Pick<RunPlan, "configFile" | "queue">): string {
  const file = basename(configFile, ".ini");
  const parts = ["memq", basename(dirname(configFile)), file === "config" ? "" : file, queue];
  const words = parts.map((part) => part.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, ""));
  return words
    .filter((word) => word !== "")
    .join("-")
    .slice(0, LONGEST);
}
