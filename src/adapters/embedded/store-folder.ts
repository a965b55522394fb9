import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  mkdirSync,
  openSync,
  statfsSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { MemqError } from "../../errors.ts";
import { storeFault } from "./store-fault.ts";

// The group may use it too, and what other members of the group create stays the group's.
const FOLDER_MODE = 0o2770;
const FILE_MODE = 0o660;

// Magic numbers of statfs(2). The processes of several machines would each map their own shared memory.
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "SMB"],
  [0xfe534d42, "SMB"],
  [0x01021997, "9p"],
  [0x5346414f, "AFS"],
  [0x73757245, "Coda"],
]);

/** Where the parts of a store are. */
export interface StoreFolder {
  readonly path: string;
  readonly file: string;
  readonly bell: string;
  /** One file per owner that has started tasks. */
  readonly flights: string;
}

export const storeFolder = (path: string): StoreFolder => ({
  path,
  file: join(path, "store.db"),
  bell: join(path, "bell"),
  flights: join(path, "flights"),
});

/**
 * Makes what is missing: the folder, an empty database file, the bell. Made by root they belong to the
 * owner of the folder (the folder: of its parent), so that root's cron does not lock out the web server.
 * @throws MemqError STORE_UNUSABLE, STORE_FULL.
 */
export function prepareStoreFolder(folder: StoreFolder): void {
  try {
    makeFolder(folder.path);
    refuseNetwork(folder.path);
    // Never opened when it is there: closing it would drop the locks SQLite has on it in this process.
    makeFile(folder.file);
    makeFolder(folder.flights);
    makeFile(folder.bell);
  } catch (error) {
    throw storeFault(error, folder.path);
  }
}

function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  mkdirWithParents(path);
  if (process.platform === "win32") return; // no owners and modes of this kind
  // By descriptor: who owns the parent could put a link in its place, and root would give away what that names.
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const descriptor = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    handOver(descriptor, dirname(path), FOLDER_MODE);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Like mkdir with `recursive`, which never comes back where nothing can be made in a folder that is there
 * (/proc): it takes what mkdir answers then for a missing parent, again and again.
 */
function mkdirWithParents(path: string): void {
  const parent = dirname(path);
  if (statSync(parent, { throwIfNoEntry: false }) === undefined && parent !== path) mkdirWithParents(parent);
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // another process was faster
  }
}

/** Makes an empty file of the store; leaves one that is there alone. */
function makeFile(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  try {
    closeSync(createStoreFile(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // another process was faster
  }
}

/** Creates a file that every user of the store may use; answers its descriptor. Fails when it is there. */
export function createStoreFile(path: string): number {
  const descriptor = openSync(path, "wx", FILE_MODE);
  try {
    handOver(descriptor, dirname(path), FILE_MODE);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Gives what root made to the owner of its folder. The mode is set again because the umask cut it. */
function handOver(descriptor: number, parent: string, mode: number): void {
  if (process.geteuid?.() === 0) {
    const { uid, gid } = statSync(parent);
    fchownSync(descriptor, uid, gid);
  }
  fchmodSync(descriptor, mode); // last: a change of owner drops the set-group bit
}

function refuseNetwork(path: string): void {
  const kind = networkKind(statfsSync(path).type);
  if (kind === undefined) return;
  throw new MemqError(
    "STORE_UNUSABLE",
    `store ${path} is on a network file system (${kind}), where processes cannot share it; use a local disk`,
  );
}

/** The name of a file system that is not local; undefined for all others. `type`: of statfs. */
export const networkKind = (type: number): string | undefined => NETWORK_FILE_SYSTEMS.get(type >>> 0);
