import { EXIT } from "../errors.ts";
import type { QueueTrace } from "../ports/examination.ts";
import { formatDuration } from "../task/duration.ts";
import { fail, failed, ok, warn, type Complaint, type Verdict } from "./verdict.ts";

/** Now, and since when the server runs if it tells, in ms since 1970. */
export interface Moment {
  readonly nowMs: number;
  readonly serverStartedAt?: number;
  /** Items that the server threw away since it runs. Default: none, or it does not tell. */
  readonly thrownAway?: number;
}

/** Judges whether the queue that this host knows is still there. */
export function judgeTrace(trace: QueueTrace, moment: Moment): Verdict {
  switch (trace.kind) {
    case "absent":
      return ok("loss", "nothing was published yet, as far as this machine knows");
    case "unseen":
      return ok("loss", "it is there; no run on this machine has looked at it yet");
    case "whole":
      return judgeWhole(trace.seenAt, moment);
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

function judgeWhole(seenAt: number, moment: Moment): Verdict {
  const { thrownAway = 0 } = moment;
  if (thrownAway === 0) return ok("loss", `nothing was lost since ${agoText(seenAt, moment)}`);
  return warn("loss", {
    says: `the queue is there, but its server threw ${String(thrownAway)} items away; tasks may have been among them`,
    fix: REPUBLISH,
  });
}

const MOST_TOLD = 3;

/** The same, when runs or workers of this host have told of losses lately: what was lost stays lost. A failure says more. */
export function withTold(found: Verdict, told: readonly string[]): Verdict {
  if (found.verdict === "fail" || told.length === 0) return found;
  const more = told.length > MOST_TOLD ? `; and ${String(told.length - MOST_TOLD)} more` : "";
  const says = `runs or workers have told of losses: ${told.slice(0, MOST_TOLD).join("; ")}${more}`;
  return warn("loss", { says, fix: REPUBLISH });
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
