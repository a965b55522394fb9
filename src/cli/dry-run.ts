import { EXIT, MemqError } from "../errors.ts";
import type { PublishTo } from "../memq.ts";
import { itemOptions, makeDraft, type PublishOptions } from "../publish/draft.ts";
import type { BulkItem, BulkOutcome } from "../publish/publisher.ts";
import { plainCodec } from "../task/codec.ts";
import type { Call } from "../task/task.ts";
import { wholeNumber } from "./option-values.ts";
import type { Session } from "./shell.ts";

// Of a bulk: enough to see how its lines are read.
const MOST_SHOWN = 20;

/** Prints what would be published, once everything that can be refused without the broker has been. */
export function showCall(session: Session, call: Call, to: PublishTo): Promise<number> {
  const count = wholeNumber(session.parsed, "count", 1);
  const shown = makeTrial(session, to)(call, to);
  session.print(JSON.stringify({ ...shown, ...(count !== undefined && { count }) }));
  return Promise.resolve(EXIT.ok);
}

/** What publishing would answer, as far as that is known without the broker; the first ones are printed. */
export function judgeItems(
  session: Session,
  items: readonly BulkItem[],
  { to, from }: { readonly to: PublishTo; readonly from: number },
): readonly BulkOutcome[] {
  const trial = makeTrial(session, to);
  return items.map((item, place): BulkOutcome => {
    try {
      const shown = trial({ method: item.method, args: item.args ?? [] }, itemOptions(to, item));
      if (from + place < MOST_SHOWN && !session.parsed.flag("json")) session.print(JSON.stringify(shown));
      return { kind: "kept", id: "" };
    } catch (error) {
      if (!(error instanceof MemqError)) throw error;
      return { kind: "refused", code: error.code, reason: error.message };
    }
  });
}

/** Makes the task without keeping it. @throws MemqError as publishing does. */
function makeTrial(session: Session, to: PublishTo): (call: Call, options: PublishOptions) => object {
  const queue = session.openQueue().queueConfig(to.queue);
  const codec = plainCodec(queue.maxTaskBytes);
  return (call, options) => {
    const draft = makeDraft(call, options, Date.now());
    const bytes = Buffer.byteLength(codec.encode(draft));
    const { dueAt, ...shown } = draft;
    const due = dueAt === undefined ? {} : { due: new Date(dueAt).toISOString() };
    return { queue: queue.name, class: draft.class ?? queue.className, ...shown, ...due, bytes };
  };
}
