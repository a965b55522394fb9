import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describeError } from "../../errors.ts";

const PERMISSION_BITS = 0o7777;

/** Why this process cannot use the store, for the one who has to change it: whose it is, and who we are. */
export function explainRefusal(folder: string, error: unknown): string {
  return obstacleTo(folder) ?? `store ${folder} cannot be used: ${describeError(error)}`;
}

/** Why this process may not use the store; undefined when it may. */
export function obstacleTo(folder: string): string | undefined {
  if (exists(folder) && !statSync(folder).isDirectory())
    return `store ${folder} is a file, and has to be a folder`;
  const obstacle = findObstacle(folder);
  if (obstacle === undefined) return undefined;
  return `store ${describePath(obstacle)}, this process runs as ${currentUser()}`;
}

/** The first thing on the way that this process may not use as it must. */
function findObstacle(folder: string): string | undefined {
  const { R_OK, W_OK, X_OK } = constants;
  if (exists(folder)) {
    if (!may(folder, R_OK | W_OK | X_OK)) return folder;
    const files = ["store.db", "store.db-wal", "store.db-shm"].map((name) => join(folder, name));
    return files.find((file) => exists(file) && !may(file, R_OK | W_OK));
  }
  const ancestor = nearestAncestor(folder);
  return may(ancestor, W_OK | X_OK) ? undefined : ancestor;
}

/** The folder that is there and in which a path would be made. */
export function nearestAncestor(path: string): string {
  let at = dirname(path);
  while (!exists(at) && at !== dirname(at)) at = dirname(at);
  return at;
}

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

const exists = (path: string): boolean => may(path, constants.F_OK);

/** Whose it is, and who may do what with it. */
export function describePath(path: string): string {
  const { uid, mode } = statSync(path);
  const octal = (mode & PERMISSION_BITS).toString(8).padStart(4, "0");
  return `${path} belongs to ${userName(uid)} (mode ${octal})`;
}

function currentUser(): string {
  const uid = process.geteuid?.();
  return uid === undefined ? "another user" : userName(uid);
}

/** The name of a user, or `uid 1234` where it has none. */
function userName(uid: number): string {
  try {
    const line = readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .find((entry) => entry.split(":")[2] === String(uid));
    return line?.split(":")[0] ?? `uid ${String(uid)}`;
  } catch {
    return `uid ${String(uid)}`;
  }
}
