import { EXIT } from "../errors.ts";
import type { TrialStep } from "../ports/examination.ts";
import { fail, ok, type Verdict } from "./verdict.ts";

/** Judges how the operations went that a queue needs. */
export function judgeTrial(trial: readonly TrialStep[]): Verdict {
  const failed = trial.find(({ fault }) => fault !== undefined);
  if (failed?.fault === undefined) {
    return ok(
      "trial",
      `add, get, replace, append, touch and delete do what they should (${String(trial.length)} steps)`,
    );
  }
  const says = `tried with an item of its own, "${failed.step}" failed: ${failed.fault}`;
  if (failed.isFull === true) {
    const fix = "let runs drain the queue, or start it with more memory (-m)";
    return fail("trial", EXIT.tryLater, { says, fix });
  }
  const fix = "point queueip and queueport at a stock memcached 1.6, not at a proxy or another server";
  return fail("trial", EXIT.unreachable, { says, fix });
}
