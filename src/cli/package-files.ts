import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

// As far from the package's root as the bundle is, which is made of this file.
const ROOT = new URL("../../", import.meta.url);

/** The version of this package, as package.json says it. */
export const version = (): string =>
  (JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8")) as { version: string }).version;

/** The absolute path of a command of this package, as a crontab line needs it. */
export const scriptPath = (name: "publish-task" | "runjobs" | "memq"): string =>
  fileURLToPath(new URL(`scripts/${name}`, ROOT));
