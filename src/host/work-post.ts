import { createHash } from "node:crypto";
import { join } from "node:path";
import { makeGroupFolder } from "./group-file.ts";
import { realmName, sweepOldRealms } from "./realm.ts";
import { takeSlot, type RunSlot } from "./run-slots.ts";

/** Which parent of workers is meant: `memq work` of one configuration, for these queues. */
export interface WorkPost {
  readonly storePath: string;
  readonly configFile: string;
  /** As they were asked for; undefined: all of the configuration. */
  readonly queues: readonly string[] | undefined;
}

/**
 * Says on this host that this process keeps workers for these queues, until it releases that or is gone. `alone`: undefined
 * when another one does already; of several that ask at the same moment one gets it.
 */
export async function takeWorkPost(
  post: WorkPost,
  { alone }: { alone: boolean },
): Promise<RunSlot | undefined> {
  const path = pathOf(post);
  if (makeGroupFolder(path)) sweepOldRealms(join(post.storePath, "workers"));
  const answer = await takeSlot(path, { max: alone ? 1 : Infinity });
  return answer.kind === "slot" ? answer.slot : undefined;
}

// Queues are not named so: there is no plus sign in their names.
function pathOf({ storePath, configFile, queues }: WorkPost): string {
  const what = JSON.stringify([configFile, queues?.toSorted()]);
  const name = createHash("sha256").update(what).digest("hex").slice(0, 16);
  return join(storePath, "workers", `post+${name}@${realmName()}`);
}
