import { existsSync, readdirSync, statfsSync, statSync, type Stats } from "node:fs";
import { join } from "node:path";
import type { FolderExamination, SqliteExamination } from "../../ports/examination.ts";
import { describePath, nearestAncestor, obstacleTo } from "./access.ts";
import { sqliteDriver } from "./sqlite.ts";
import { storeFault } from "./store-fault.ts";
import { networkKind, storeFolder } from "./store-folder.ts";

/** Looks at the folder of a store, and makes nothing. @throws MemqError STORE_UNUSABLE when even that is not possible. */
export function examineFolder(path: string): FolderExamination {
  try {
    return examine(path);
  } catch (error) {
    throw storeFault(error, path);
  }
}

function examine(path: string): FolderExamination {
  const status = statSync(path, { throwIfNoEntry: false });
  const place = status === undefined ? nearestAncestor(path) : path;
  const { type, bavail, blocks, bsize } = statfsSync(place);
  const network = networkKind(type);
  const refusal = obstacleTo(path);
  return {
    path,
    kind: kindOf(status),
    place,
    ...(refusal !== undefined && { refusal }),
    ...(status !== undefined && { owner: describePath(path) }),
    unshared: status?.isDirectory() === true ? unsharedIn(path, status) : [],
    ...(network !== undefined && { network }),
    freeBytes: bavail * bsize,
    totalBytes: blocks * bsize,
    hasStore: existsSync(storeFolder(path).file),
  };
}

function kindOf(status: Stats | undefined): FolderExamination["kind"] {
  if (status === undefined) return "absent";
  return status.isDirectory() ? "folder" : "other";
}

const GROUP_WRITES = 0o020;

// By their status alone: to open and close a database file would drop the locks that SQLite has on it.
function unsharedIn(path: string, folder: Stats): readonly string[] {
  return namesIn(path).filter((name) => {
    const status = statSync(join(path, name), { throwIfNoEntry: false });
    if (status === undefined || status.uid === folder.uid) return false;
    return status.gid !== folder.gid || (status.mode & GROUP_WRITES) === 0;
  });
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // it may not be read: told as the refusal
  }
}

/** The SQLite of this process. @throws MemqError SQLITE_MISSING */
export function examineSqlite(): SqliteExamination {
  const { name, open } = sqliteDriver();
  const database = open(":memory:");
  try {
    const { version } = database.prepare("SELECT sqlite_version() AS version").get() as { version: string };
    return { driver: name, version };
  } finally {
    database.close();
  }
}
