import type { Session } from "../shell.ts";
import { isWorkerChild } from "../worker-messages.ts";

/** `memq work`: keeps workers alive, each a process of the same command that knows that it is one. */
export async function work(session: Session): Promise<number> {
  if (isWorkerChild(session.io.env)) return (await import("../worker-child.ts")).workAsChild(session);
  return (await import("../worker-parent.ts")).keepWorkers(session);
}
