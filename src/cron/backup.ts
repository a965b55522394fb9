import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describeError, MemqError } from "../errors.ts";
import type { Table } from "./table.ts";

const MAX_BACKUPS = 20; // per store; the oldest go
const STORE_MODE = 0o2770; // the group of the store may use it too
const NAME = /^\d{4}-\d\d-\d\dT[\d-]+Z\.crontab$/;

/**
 * Keeps a copy of a table below the store's folder, and answers its path. Only its owner may read it: people
 * write passwords into crontabs. @throws MemqError CRONTAB_UNUSABLE when it cannot be written.
 */
export function backUp(table: Table, storePath: string, nowMs: number): string {
  const folder = join(storePath, "crontabs");
  const path = join(folder, `${new Date(nowMs).toISOString().replace(/[:.]/g, "-")}.crontab`);
  try {
    makeFolder(storePath);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(path, Buffer.from(table, "latin1"), { mode: 0o600, flag: "wx" });
    const old = readdirSync(folder)
      .filter((name) => NAME.test(name))
      .sort()
      .slice(0, -MAX_BACKUPS);
    for (const name of old) unlinkSync(join(folder, name));
    return path;
  } catch (cause) {
    const why = `the table could not be backed up to ${path}, so nothing was changed: ${describeError(cause)}`;
    throw new MemqError("CRONTAB_UNUSABLE", why, { cause });
  }
}

/** As the store makes it: what root creates belongs to the owner of the folder around it. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  mkdirSync(path, { recursive: true });
  // By descriptor: who owns the parent could put a link in its place, and root would give away what that names.
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const descriptor = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    const { uid, gid } = statSync(dirname(path));
    if (process.geteuid?.() === 0) fchownSync(descriptor, uid, gid);
    fchmodSync(descriptor, STORE_MODE);
  } finally {
    closeSync(descriptor);
  }
}
