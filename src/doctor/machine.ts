import { EXIT, MemqError } from "../errors.ts";
import type { SqliteExamination } from "../ports/examination.ts";
import { fail, failed, ok, warn, type Verdict } from "./verdict.ts";

/** As package.json's `engines` says. */
const OLDEST_NODE = [20, 19, 0] as const;

/** Judges the Node.js that runs this. `version`: as `process.version`. */
export function judgeNode(version: string): Verdict {
  const parts = version
    .replace(/^v/, "")
    .split(".")
    .map((part) => parseInt(part, 10));
  const difference = OLDEST_NODE.map((least, at) => (parts[at] ?? 0) - least).find((one) => one !== 0) ?? 0;
  if (difference >= 0) return ok("node", `Node.js ${version}`);
  return fail("node", EXIT.config, {
    says: `Node.js ${version} is too old`,
    fix: `install Node.js ${OLDEST_NODE.join(".")} or later`,
  });
}

/** Judges the SQLite that was found, or that none was. `isNeeded`: a queue is kept in the embedded store. */
export function judgeSqlite(found: SqliteExamination | MemqError, isNeeded: boolean): Verdict {
  if (!(found instanceof MemqError)) return ok("sqlite", `SQLite ${found.version} (${found.driver})`);
  if (isNeeded) return failed("sqlite", found.code, found.message);
  return warn("sqlite", { says: `${found.message}; no queue needs it`, fix: found.next });
}
