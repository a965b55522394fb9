import { statSync } from "node:fs";
import { MemqError } from "../../errors.ts";
import { whenFree } from "./patience.ts";
import { APPLICATION_ID, FIRST_SCHEMA, FIRST_VERSION, STORE_VERSION, UPGRADES } from "./schema.ts";
import { sqliteDriver, type SqliteDatabase, type SqliteStatement, type SqlValue } from "./sqlite.ts";
import { prepareStoreFolder, type StoreFolder } from "./store-folder.ts";
import { storeFault } from "./store-fault.ts";

/**
 * What a transaction survives. "synced": a power cut. "relaxed": the death of this process; a power cut
 * may forget it, never half of it.
 */
export type Durability = "synced" | "relaxed";

// Of pages: bulk publishing and draining stay out of the file system for the parts they touch again.
const CACHE_KIB = 16_000;
// Of pages in the -wal file, after which they are copied into the database: each time waits for the disk, and twice
// SQLite's own number halves that.
const CHECKPOINT_PAGES = 2_000;
// What a checkpoint leaves of the -wal file after a huge transaction: as much as it takes as a rule.
const WAL_LEFT_BYTES = 8_500_000;

const SYNC: Readonly<Record<Durability, string>> = {
  synced: "PRAGMA synchronous = FULL",
  relaxed: "PRAGMA synchronous = NORMAL",
};

/** One connection to the store's database, with its statements kept. Made by `openConnection`. */
export class Connection {
  readonly folder: StoreFolder;
  /** Begins the ids of this store's tasks; another store has another. */
  readonly prefix: string;
  readonly #database: SqliteDatabase;
  readonly #statements = new Map<string, SqliteStatement>();
  readonly #inode: number | undefined;
  #gone = false;
  #durability: Durability | undefined;

  constructor(folder: StoreFolder, database: SqliteDatabase) {
    this.folder = folder;
    this.#database = database;
    this.#inode = inodeOf(folder.file);
    this.prefix = (this.get("SELECT prefix FROM store") as { prefix: string }).prefix;
  }

  /** The file was taken away meanwhile: only a new connection can go on. */
  get isGone(): boolean {
    return this.#gone;
  }

  /**
   * Runs `body` as one transaction that no other process is in the middle of, and may run it again when one
   * was: it works on rows and leaves memory alone. A throw in it undoes everything.
   */
  write<T>(durability: Durability, body: () => T): Promise<T> {
    return this.#guard(() => {
      this.#setDurability(durability);
      return this.#transaction("BEGIN IMMEDIATE", body);
    });
  }

  /** Runs `body` on one state of the store, whatever others write meanwhile. */
  read<T>(body: () => T): Promise<T> {
    return this.#guard(() => this.#transaction("BEGIN", body));
  }

  /** Runs one statement outside of any transaction. */
  execute(sql: string): Promise<void> {
    return this.#guard(() => {
      this.#database.exec(sql);
    });
  }

  /** How many rows it changed. */
  run(sql: string, ...values: SqlValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  get(sql: string, ...values: SqlValue[]): unknown {
    return this.#statement(sql).get(...values);
  }

  all(sql: string, ...values: SqlValue[]): unknown[] {
    return this.#statement(sql).all(...values);
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  async #guard<T>(attempt: () => T): Promise<T> {
    try {
      return await whenFree(attempt, this.folder.path);
    } catch (error) {
      throw storeFault(error, this.folder.path);
    }
  }

  #transaction<T>(begin: string, body: () => T): T {
    this.#assertSameFile();
    this.run(begin);
    try {
      this.#assertVersion();
      const result = body();
      this.run("COMMIT");
      return result;
    } catch (error) {
      rollBack(this.#database);
      throw error;
    }
  }

  #setDurability(durability: Durability): void {
    if (durability === this.#durability) return;
    this.#database.exec(SYNC[durability]);
    this.#durability = durability;
  }

  /** What is written into a file that was removed is lost as soon as the last process leaves it. */
  #assertSameFile(): void {
    if (inodeOf(this.folder.file) === this.#inode) return;
    this.#gone = true;
    throw new MemqError(
      "STORE_UNUSABLE",
      `store ${this.folder.path} was removed or replaced while this process was using it`,
    );
  }

  /** A newer memq may have changed the tables while this process was running. */
  #assertVersion(): void {
    const { user_version } = this.get("PRAGMA user_version") as { user_version: number };
    if (user_version !== STORE_VERSION) throw newer(this.folder, user_version);
  }

  #statement(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** Leaves it to the error at hand to say what went wrong. */
function rollBack(database: SqliteDatabase): void {
  try {
    database.exec("ROLLBACK");
  } catch {
    // SQLite has already undone the transaction by itself, as it does when the disk is full
  }
}

/** Opens the store and makes it where it is not there. @throws MemqError SQLITE_MISSING, STORE_*, BUSY. */
export async function openConnection(folder: StoreFolder): Promise<Connection> {
  const driver = sqliteDriver();
  prepareStoreFolder(folder);
  let database: SqliteDatabase | undefined;
  try {
    const opened = (database = driver.open(folder.file));
    await whenFree(() => {
      prepareDatabase(opened, folder);
    }, folder.path);
    return new Connection(folder, opened);
  } catch (error) {
    database?.close();
    throw storeFault(error, folder.path);
  }
}

function prepareDatabase(database: SqliteDatabase, folder: StoreFolder): void {
  if (!isMade(database, folder)) makeStore(database, folder);
  if (versionOf(database) < STORE_VERSION) upgradeStore(database);
  database.exec(
    `PRAGMA cache_size = -${String(CACHE_KIB)}; PRAGMA journal_size_limit = ${String(WAL_LEFT_BYTES)};
     PRAGMA wal_autocheckpoint = ${String(CHECKPOINT_PAGES)}; PRAGMA temp_store = MEMORY;`,
  );
}

/** False for an empty file. @throws MemqError STORE_FOREIGN. */
function isMade(database: SqliteDatabase, folder: StoreFolder): boolean {
  const { application_id } = database.prepare("PRAGMA application_id").get() as { application_id: number };
  const version = versionOf(database);
  if (application_id === APPLICATION_ID) {
    if (version > STORE_VERSION) throw newer(folder, version);
    return true;
  }
  const { tables } = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() as {
    tables: number;
  };
  if (application_id === 0 && version === 0 && tables === 0) return false;
  throw new MemqError("STORE_FOREIGN", `${folder.file} is the database of another program`);
}

function makeStore(database: SqliteDatabase, folder: StoreFolder): void {
  // Both have to be said before the first table is there, and neither inside a transaction.
  database.exec("PRAGMA auto_vacuum = INCREMENTAL");
  const { journal_mode } = database.prepare("PRAGMA journal_mode = WAL").get() as { journal_mode: string };
  if (journal_mode !== "wal") {
    throw new MemqError("STORE_UNUSABLE", `the file system of store ${folder.path} has no shared memory`);
  }
  database.exec("BEGIN IMMEDIATE");
  try {
    if (!isMade(database, folder)) writeSchema(database);
    database.exec("COMMIT");
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/** Brings an older store up to date in one transaction; another process may be faster. */
function upgradeStore(database: SqliteDatabase): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    addUpgrades(database, versionOf(database));
    database.exec("COMMIT");
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

function addUpgrades(database: SqliteDatabase, version: number): void {
  if (version >= STORE_VERSION) return;
  for (const upgrade of UPGRADES.slice(version - FIRST_VERSION)) database.exec(upgrade);
  database.exec(`PRAGMA user_version = ${String(STORE_VERSION)}`);
}

const versionOf = (database: SqliteDatabase): number =>
  (database.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;

function writeSchema(database: SqliteDatabase): void {
  database.exec(FIRST_SCHEMA);
  database.prepare("INSERT INTO store(prefix, created_at) VALUES (?, ?)").run(makePrefix(), Date.now());
  database.exec(`PRAGMA application_id = ${String(APPLICATION_ID)}`);
  addUpgrades(database, FIRST_VERSION);
}

// Four letters and digits, the first a letter, so that an id is never taken for a number or a flag. It is no
// secret, and node:crypto would take every command 3 ms to load.
const makePrefix = (): string => Math.floor((10 + 26 * Math.random()) * 36 ** 3).toString(36);

const newer = (folder: StoreFolder, version: number): MemqError =>
  new MemqError(
    "STORE_FOREIGN",
    `${folder.file} has version ${String(version)}, this memq knows version ${String(STORE_VERSION)}`,
  );

const inodeOf = (file: string): number | undefined => statSync(file, { throwIfNoEntry: false })?.ino;
