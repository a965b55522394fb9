import { createRequire } from "node:module";
import { MemqError } from "../../errors.ts";
import { loadPrebuilt, PACKAGE, unreadablePart } from "./prebuilt.ts";

export type SqlValue = string | number | null;

/** The part of the `node:sqlite` interface that the store uses; both drivers have it. */
export interface SqliteStatement {
  run(...values: SqlValue[]): { readonly changes: number | bigint };
  get(...values: SqlValue[]): unknown;
  all(...values: SqlValue[]): unknown[];
}

export interface SqliteDatabase {
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

interface SqliteModule {
  readonly DatabaseSync: new (path: string) => SqliteDatabase;
}

/** A SQLite that may be there. `load` answers undefined when it is not, `obstacle` then the path that bars the way. */
export interface Candidate {
  readonly name: string;
  readonly load: () => SqliteModule | undefined;
  readonly obstacle?: () => string | undefined;
}

/** How the store opens a database file. */
export interface SqliteDriver {
  readonly name: string;
  readonly open: (path: string) => SqliteDatabase;
}

// Node's own first: nothing to install and nothing native to load.
const CANDIDATES: readonly Candidate[] = [
  { name: "node:sqlite", load: loadBuiltin },
  { name: PACKAGE, load: loadInstalled, obstacle: unreadablePart },
];

// Two copies of SQLite on one file in one process undo each other's locks: one that closes takes the -wal file
// from under the other, and what that keeps from then on is lost. So the choice is made once for the process, also
// where a handler imports another copy of this package than the command that runs it.
const CHOSEN = Symbol.for("memq.sqlite");

interface Shared {
  [CHOSEN]: SqliteDriver | undefined;
}

/** The SQLite of this process, loaded on first use. @throws MemqError SQLITE_MISSING. */
export function sqliteDriver(): SqliteDriver {
  return ((globalThis as unknown as Shared)[CHOSEN] ??= chooseDriver(CANDIDATES));
}

/** The first candidate that is there and safe. @throws MemqError SQLITE_MISSING, saying why each was not taken. */
export function chooseDriver(candidates: readonly Candidate[]): SqliteDriver {
  const refusals: string[] = [];
  for (const candidate of candidates) {
    const { name } = candidate;
    const sqlite = candidate.load();
    const version = sqlite === undefined ? undefined : versionOf(sqlite);
    if (sqlite !== undefined && version !== undefined && isSafeVersion(version)) {
      return { name, open: (path) => new sqlite.DatabaseSync(path) };
    }
    refusals.push(version === undefined ? absence(candidate) : `${name} has SQLite ${version}`);
  }
  throw new MemqError(
    "SQLITE_MISSING",
    `no SQLite of 3.51.3 or later (or 3.50.7) was found: ${refusals.join(", ")}`,
  );
}

function absence({ name, obstacle }: Candidate): string {
  const path = obstacle?.();
  return path === undefined ? `${name} is not there` : `${name} cannot be read by this user: EACCES, ${path}`;
}

/**
 * Whether processes may share a file in WAL mode: up to 3.51.2 two that write and checkpoint at the same
 * instant can lose commits. The cure was also given to 3.50.7.
 */
export function isSafeVersion(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  if (major !== 3) return major > 3;
  if (minor === 50) return patch >= 7;
  return minor > 51 || (minor === 51 && patch >= 3);
}

function versionOf(sqlite: SqliteModule): string {
  const database = new sqlite.DatabaseSync(":memory:");
  try {
    const row = database.prepare("SELECT sqlite_version() AS version").get() as { version: string };
    return row.version;
  } finally {
    database.close();
  }
}

function loadBuiltin(): SqliteModule | undefined {
  const emitWarning: unknown = Reflect.get(process, "emitWarning");
  // Loading it warns that SQLite is experimental, and cron would mail that with every run.
  process.emitWarning = () => undefined;
  try {
    return process.getBuiltinModule("node:sqlite") as SqliteModule | undefined;
  } finally {
    Reflect.set(process, "emitWarning", emitWarning);
  }
}

function loadInstalled(): SqliteModule | undefined {
  try {
    // `require` takes half the time of `import` here, and every command pays for it.
    return (loadPrebuilt() ?? createRequire(import.meta.filename)(PACKAGE)) as SqliteModule;
  } catch {
    return undefined; // not installed, or without a binary for this system: said by SQLITE_MISSING
  }
}
