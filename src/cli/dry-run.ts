import { EXIT, MemqError, describeError } from "../errors.ts";
import type { PublishTo } from "../memq.ts";
import { makeDraft } from "../publish/draft.ts";
import type { BulkItem, BulkOutcome } from "../publish/publisher.ts";
import { plainCodec } from "../task/codec.ts";
import type { Call } from "../task/task.ts";
import type { Session } from "./shell.ts";

/** Prints what would be published, once everything that can be refused beforehand has been. */
export function showCall(session: Session, call: Call, to: PublishTo): Promise<number> {
  const queue = session.open().queueConfig(to.queue);
  const draft = makeDraft(call, to, Date.now());
  const body = plainCodec(queue.maxTaskBytes).encode(draft);
  const { dueAt, ...shown } = draft;
  const due = dueAt === undefined ? {} : { due: new Date(dueAt).toISOString() };
  const where = { queue: queue.name, class: draft.class ?? queue.className };
  session.print(JSON.stringify({ ...where, ...shown, ...due, bytes: Buffer.byteLength(body) }));
  return Promise.resolve(EXIT.ok);
}

/** What publishing would answer, as far as that is known without the broker. */
export function judgeItems(
  session: Session,
  items: readonly BulkItem[],
  to: PublishTo,
): Promise<readonly BulkOutcome[]> {
  const codec = plainCodec(session.open().queueConfig(to.queue).maxTaskBytes);
  return Promise.resolve(
    items.map((item): BulkOutcome => {
      try {
        codec.encode(
          makeDraft({ method: item.method, args: item.args ?? [] }, { ...to, ...item }, Date.now()),
        );
        return { kind: "kept", id: "" };
      } catch (error) {
        const code = error instanceof MemqError ? error.code : "BUG";
        return { kind: "refused", code, reason: describeError(error) };
      }
    }),
  );
}
