import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createGroupFile, makeGroupFolder } from "./group-file.ts";

/** A server that this host meets for the first time. */
export interface Meeting {
  /** As if they had not met: for one that could not be spoken with. */
  undo(): void;
}

/**
 * Notes that this host knows a server; undefined when it knew it already. Of several processes that ask at the
 * same time one gets the meeting. Where nothing can be noted it is as if it were known: to meet it with every
 * command would be worse. `server`: `host:port`; `folder`: of what this host remembers.
 */
export function meetServer(folder: string, server: string): Meeting | undefined {
  const place = join(folder, "servers");
  const path = join(place, encodeURIComponent(server));
  if (existsSync(path)) return undefined;
  try {
    makeGroupFolder(place);
    createGroupFile(path);
  } catch {
    return undefined; // another process was faster, or the folder is not ours to write: memq doctor tells that
  }
  return {
    undo: () => {
      rmSync(path, { force: true });
    },
  };
}
