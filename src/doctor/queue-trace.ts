import { EXIT } from "../errors.ts";
import type { QueueTrace } from "../ports/examination.ts";
import { formatDuration } from "../task/duration.ts";
import { fail, failed, ok, type Complaint, type Verdict } from "./verdict.ts";

/** Now, and since when the server runs if it tells, in ms since 1970. */
export interface Moment {
  readonly nowMs: number;
  readonly serverStartedAt?: number;
}

/** Judges whether the queue that this host knows is still there. */
export function judgeTrace(trace: QueueTrace, moment: Moment): Verdict {
  switch (trace.kind) {
    case "absent":
      return ok("loss", "nothing was published yet, as far as this machine knows");
    case "unseen":
      return ok("loss", "it is there; no run on this machine has looked at it yet");
    case "whole":
      return ok("loss", `nothing was lost since ${agoText(trace.seenAt, moment)}`);
    case "begunAnew":
      return fail("loss", EXIT.loss, goneComplaint(trace.seenAt, moment));
    case "torn":
      return fail("loss", EXIT.loss, {
        says: `${String(trace.atLeast)} lists of waiting tasks vanished from the server: it threw them away`,
        fix: REPUBLISH,
      });
    case "newer":
      return failed("loss", "STORE_FOREIGN", "it was written by a newer memq");
    case "broken":
      return fail("loss", EXIT.loss, { says: "what the server has in its place is damaged", fix: REPUBLISH });
  }
}

const REPUBLISH =
  "publish again what was lost; use a memcached of its own, started with -M, or the embedded store";

function goneComplaint(seenAt: number, moment: Moment): Complaint {
  const { serverStartedAt } = moment;
  const restarted = serverStartedAt !== undefined && serverStartedAt > seenAt;
  const cause = restarted
    ? `the server was started ${agoText(serverStartedAt, moment)}`
    : "the server was emptied, or threw it away";
  return { says: `what was queued before is gone: ${cause}`, fix: REPUBLISH };
}

const agoText = (ms: number, { nowMs }: Moment): string => `${formatDuration(Math.max(0, nowMs - ms))} ago`;
