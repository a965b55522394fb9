import { EXIT, MemqError } from "../errors.ts";
import type { FolderExamination } from "../ports/examination.ts";
import { percentText, sizeText } from "./server-stats.ts";
import { fail, failed, ok, warn, type Verdict } from "./verdict.ts";

/** Judges a store's folder. `keepsTasks`: queues are kept in it, not only what this machine remembers. */
export function judgeFolder(folder: FolderExamination, keepsTasks: boolean): readonly Verdict[] {
  return [access(folder), ...sharing(folder), ...fileSystem(folder, keepsTasks), space(folder, keepsTasks)];
}

function access(folder: FolderExamination): Verdict {
  const { path, kind, place, refusal, owner } = folder;
  if (kind === "other") return failed("folder", "STORE_UNUSABLE", `${path} is not a folder`);
  if (refusal !== undefined) return failed("folder", "STORE_UNUSABLE", refusal);
  if (kind === "absent") return ok("folder", `it is made in ${place} when it is needed`);
  return ok("folder", `it can be written: ${owner ?? path}`);
}

function sharing({ kind, refusal, unshared }: FolderExamination): readonly Verdict[] {
  if (kind !== "folder" || refusal !== undefined) return []; // it may not be looked into
  if (unshared.length === 0) return [ok("sharing", "all its files can be written by whoever owns it")];
  return [
    warn("sharing", {
      says: `${unshared.slice(0, MOST_NAMES).join(", ")} belong to another user than the folder, and only they can write them`,
      fix: "let one user publish and run, or give both a common group (docs/production.md), and chown what is there",
    }),
  ];
}

const MOST_NAMES = 5;

function fileSystem({ network, place }: FolderExamination, keepsTasks: boolean): readonly Verdict[] {
  if (!keepsTasks) return [];
  if (network === undefined) return [ok("file-system", "it is on a local disk")];
  const says = `${place} is on a network file system (${network}), where processes cannot share a store`;
  return [failed("file-system", "STORE_UNUSABLE", says)];
}

// A store grows by some 200 bytes a task, and a checkpoint needs room beside it.
const LITTLE_BYTES = 200 * 1_024 * 1_024;
const NONE_BYTES = 10 * 1_024 * 1_024;

function space({ freeBytes, totalBytes }: FolderExamination, keepsTasks: boolean): Verdict {
  const share = totalBytes > 0 ? ` (${percentText(freeBytes, totalBytes)})` : "";
  const says = `${sizeText(freeBytes)} are free on its disk${share}`;
  if (freeBytes >= LITTLE_BYTES) return ok("space", says);
  const complaint = { says, fix: "free space on that disk, or set store to a folder on another one" };
  return keepsTasks && freeBytes < NONE_BYTES
    ? fail("space", EXIT.tryLater, complaint)
    : warn("space", complaint);
}

/** How opening the store went. */
export const judgeStore = (error: MemqError | undefined): Verdict =>
  error === undefined ? ok("store", "it opens and answers") : failed("store", error.code, error.message);
