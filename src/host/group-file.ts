import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  mkdirSync,
  openSync,
  statSync,
  writeSync,
  type Stats,
} from "node:fs";
import { dirname } from "node:path";

// The group may use it too, and what its other members make stays the group's.
const FOLDER_MODE = 0o2770;
const FILE_MODE = 0o660;

/**
 * Makes a folder, and those above it, for every user of a store. What root makes goes to the owner of the
 * folder around it, so that root's cron does not lock out the web server. Answers whether it had to be made.
 */
export function makeGroupFolder(path: string): boolean {
  const first = mkdirSync(path, { recursive: true });
  if (first === undefined) return false;
  if (process.platform === "win32") return true; // no owners and modes of this kind
  const owner = statSync(dirname(first));
  for (let made = path; made.length >= first.length; made = dirname(made)) handOverFolder(made, owner);
  return true;
}

function handOverFolder(path: string, owner: Stats): void {
  // By descriptor: somebody could put a link in its place, and root would give away what that names.
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const descriptor = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    handOver(descriptor, owner, FOLDER_MODE);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes an empty file for every user of its folder. Fails when it is there. */
export function createGroupFile(path: string): void {
  const descriptor = openSync(path, "wx", FILE_MODE);
  try {
    handOverFile(descriptor, path);
  } finally {
    closeSync(descriptor);
  }
}

/** Opens a file to append whole lines to, and makes it for every user of its folder. Answers its descriptor. */
export function openToAppend(path: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL } = constants;
  try {
    return openSync(path, O_WRONLY | O_APPEND);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  try {
    const descriptor = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, FILE_MODE);
    handOverFile(descriptor, path);
    return descriptor;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return openSync(path, O_WRONLY | O_APPEND); // another process was faster
  }
}

/** Appends a text in one write: what several processes append does not mix. The folder must be there. */
export function appendWhole(path: string, text: string): void {
  const descriptor = openToAppend(path);
  try {
    writeSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

function handOverFile(descriptor: number, path: string): void {
  if (process.platform !== "win32") handOver(descriptor, statSync(dirname(path)), FILE_MODE);
}

/** The mode is set again because the umask cut it; last, as a change of owner drops the set-group bit. */
function handOver(descriptor: number, { uid, gid }: Stats, mode: number): void {
  if (process.geteuid?.() === 0) fchownSync(descriptor, uid, gid);
  fchmodSync(descriptor, mode);
}
