import { readFileSync } from "node:fs";
import { join } from "node:path";

// As far from the package's root as the bundle is, which is made of this file.
const ROOT = join(import.meta.dirname, "../..");

/** The version of this package, as package.json says it. */
export const version = (): string =>
  (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;

/** The absolute path of a command of this package, as a crontab line needs it. */
export const scriptPath = (name: "publish-task" | "runjobs" | "memq"): string => join(ROOT, "scripts", name);
