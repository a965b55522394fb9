import { statfsSync } from "node:fs";
import { describeError, MemqError, type ErrorCode } from "../../errors.ts";
import { explainRefusal } from "./access.ts";

// SQLite's primary result codes; the bits above the first eight tell variants apart.
const PRIMARY = 0xff;
const SQLITE_BUSY = 5;
const SQLITE_IOERR = 10;

/** What SQLite's codes (PERM, BUSY, ...) and the system's mean here. */
const MEANINGS: ReadonlyMap<number | string, ErrorCode> = new Map<number | string, ErrorCode>([
  [3, "STORE_UNUSABLE"], // PERM
  [SQLITE_BUSY, "BUSY"],
  [8, "STORE_UNUSABLE"], // READONLY
  [SQLITE_IOERR, "STORE_UNUSABLE"],
  [11, "STORE_BROKEN"], // CORRUPT
  [13, "STORE_FULL"], // FULL
  [14, "STORE_UNUSABLE"], // CANTOPEN
  [23, "STORE_UNUSABLE"], // AUTH
  [26, "STORE_FOREIGN"], // NOTADB
  ["ENOSPC", "STORE_FULL"],
  ["EDQUOT", "STORE_FULL"],
]);

/** Whether another process has what was wanted, and it is worth trying again. */
export const isBusy = (error: unknown): boolean => primaryCode(error) === SQLITE_BUSY;

/** What the driver or the file system threw, as an error of ours. `folder`: of the store. */
export function storeFault(error: unknown, folder: string): MemqError {
  if (error instanceof MemqError) return error;
  const code = meaningOf(error, folder);
  return new MemqError(code, sentence(code, folder, error), { cause: error });
}

function meaningOf(error: unknown, folder: string): ErrorCode {
  const sqlite = primaryCode(error);
  // Some writes meet a full disk as an I/O error: the shared-memory file grows by itself.
  if (sqlite === SQLITE_IOERR && isDiskFull(folder)) return "STORE_FULL";
  if (sqlite !== undefined) return MEANINGS.get(sqlite) ?? "BUG";
  const system = systemCode(error);
  return system === undefined ? "BUG" : (MEANINGS.get(system) ?? "STORE_UNUSABLE");
}

function sentence(code: ErrorCode, folder: string, error: unknown): string {
  switch (code) {
    case "STORE_FULL":
      return `there is no room left on the disk of store ${folder}`;
    case "STORE_FOREIGN":
      return `${folder}/store.db is not a database`;
    case "STORE_BROKEN":
      return `${folder}/store.db is damaged: ${describeError(error)}`;
    case "BUSY":
      return `store ${folder} was locked by another process`;
    case "STORE_UNUSABLE":
      return explainRefusal(folder, error);
    default:
      return `store ${folder}: ${describeError(error)}`;
  }
}

function isDiskFull(folder: string): boolean {
  try {
    return statfsSync(folder).bavail === 0;
  } catch {
    return false; // the folder went away; the error at hand says more
  }
}

function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode & PRIMARY : undefined;
}

function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
