import type { PublishTo } from "../memq.ts";
import type { Session } from "./shell.ts";

/** After something was published: a line about a server that may lose it, once per server on this host. */
export async function warnOfServer(
  session: Session,
  { queue }: PublishTo,
  command = "publish-task",
): Promise<void> {
  // Not asked for rather than not told: it is said only once.
  if (session.parsed.flag("quiet")) return;
  const warning = await session.openQueue().serverWarning(queue);
  if (warning !== undefined) session.complain(`${command}: ${warning}`);
}
