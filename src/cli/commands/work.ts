import { MemqError } from "../../errors.ts";
import type { Session } from "../shell.ts";
import { isWorkerChild } from "../worker-messages.ts";

/** `memq work`: keeps workers alive, each a process of the same command that knows that it is one. */
export async function work(session: Session): Promise<number> {
  if (isWorkerChild(session.io.env)) return (await import("../worker-child.ts")).workAsChild(session);
  if (session.parsed.flag("systemd")) return (await import("../work-unit.ts")).printWorkUnit(session);
  if (session.parsed.text("user") !== undefined)
    throw new MemqError("USAGE", "--user goes with --systemd: workers are started by whoever calls");
  return (await import("../worker-parent.ts")).keepWorkers(session);
}
