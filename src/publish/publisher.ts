import { MemqError, describeError, type ErrorCode } from "../errors.ts";
import { MAX_BATCH, type Broker, type Published } from "../ports/broker.ts";
import type { Clock } from "../ports/clock.ts";
import type { Codec } from "../task/codec.ts";
import type { Call, Draft } from "../task/task.ts";
import { assertKnownNames } from "../task/known-names.ts";
import { assertSupported, itemOptions, makeDraft, PUBLISH_OPTIONS, type PublishOptions } from "./draft.ts";

/** A call of a bulk, with its own options. */
export interface BulkItem extends PublishOptions {
  readonly method: string;
  readonly args?: Call["args"];
}

/** What became of one item, in the order of the items. */
export type BulkOutcome =
  | { readonly kind: "kept"; readonly id: string }
  | { readonly kind: "duplicate"; readonly of: string }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly reason: string };

/** Puts calls into one queue. */
export interface Publisher {
  /**
   * Keeps one call and resolves with its id, or with the id of the unfinished task that has its key.
   * @throws MemqError when it was not kept.
   */
  publish(call: Call, options?: PublishOptions): Promise<string>;
  /** The most items in a batch. */
  readonly limit: number;
  /** Keeps up to `limit` items; a bad item is refused, the others are kept. Rejects only when the broker fails. */
  publishBatch(items: readonly BulkItem[], options?: PublishOptions): Promise<readonly BulkOutcome[]>;
  /** Checks and encodes the items of a batch now; what it answers keeps them as `publishBatch` does. */
  readyBatch(items: readonly BulkItem[], options?: PublishOptions): () => Promise<readonly BulkOutcome[]>;
  /** The same as the next part of a bulk that has a name. @throws MemqError BULK_TAKEN, QUEUE_FULL: then nothing is kept. */
  publishPart(items: readonly BulkItem[], part: BulkPart, options?: PublishOptions): Promise<PartReport>;
}

/** From one place of a bulk to the next. */
export interface BulkPart {
  readonly name: string;
  /** The version that it goes on from; undefined: the bulk begins. */
  readonly expected: string | undefined;
  /** The place to write down, by the outcomes. */
  readonly place: (outcomes: readonly BulkOutcome[]) => string;
  /** Published when the bulk is at its end and all of it is settled. Undefined: as the parts before said. */
  readonly then?: Call | undefined;
  /** The bulk is at its end. Default false. */
  readonly isLast?: boolean | undefined;
}

/** What became of a part. */
export interface PartReport {
  readonly outcomes: readonly BulkOutcome[];
  readonly version: string;
}

interface PublisherParts {
  readonly broker: Broker;
  readonly codec: Codec;
  readonly clock: Clock;
}

export function makePublisher(parts: PublisherParts): Publisher {
  return {
    limit: limitOf(parts.broker),
    publish: (call, options = {}) => publishOne(parts, call, options),
    publishBatch: async (items, options = {}) => readyBatch(parts, items, options)(),
    readyBatch: (items, options = {}) => readyBatch(parts, items, options),
    publishPart: (items, part, options = {}) => publishPart(parts, part, { items, options }),
  };
}

const limitOf = ({ capabilities }: Broker): number => capabilities.publishLimit ?? MAX_BATCH;

async function publishOne(parts: PublisherParts, call: Call, options: PublishOptions): Promise<string> {
  assertKnownNames(options, PUBLISH_OPTIONS, "option");
  const draft = checkedDraft(parts, call, { options, nowMs: parts.clock.now() });
  const [answer] = await parts.broker.publish([draft]);
  const outcome = judge(answer, options);
  switch (outcome.kind) {
    case "kept":
      return outcome.id;
    case "duplicate":
      return outcome.of;
    case "refused":
      throw new MemqError(outcome.code, outcome.reason);
  }
}

function readyBatch(
  parts: PublisherParts,
  items: readonly BulkItem[],
  options: PublishOptions,
): () => Promise<readonly BulkOutcome[]> {
  assertKnownNames(options, PUBLISH_OPTIONS, "option");
  const judged = judgeItems(parts, items, options);
  const drafts = draftsOf(judged);
  return async () => outcomesOf(judged, drafts.length === 0 ? [] : await parts.broker.publish(drafts));
}

async function publishPart(
  parts: PublisherParts,
  { name, expected, place, then, isLast }: BulkPart,
  { items, options }: { readonly items: readonly BulkItem[]; readonly options: PublishOptions },
): Promise<PartReport> {
  const judged = judgeItems(parts, items, options);
  const { answers, version } = await parts.broker.bulks.publish(draftsOf(judged), {
    name,
    expected,
    place: (answered) => place(outcomesOf(judged, answered)),
    ...(then !== undefined && { then: checkedDraft(parts, then, { options: {}, nowMs: parts.clock.now() }) }),
    isLast,
  });
  // Where all of it is settled by now, nobody else might come by.
  if (isLast === true) await parts.broker.bulks.conclude();
  return { outcomes: outcomesOf(judged, answers), version };
}

function judgeItems(
  parts: PublisherParts,
  items: readonly BulkItem[],
  options: PublishOptions,
): readonly Judged[] {
  if (items.length > limitOf(parts.broker))
    throw new MemqError("BUG", `a batch of ${String(items.length)} items`);
  const nowMs = parts.clock.now();
  return items.map((item) => judgeItem(parts, item, { all: options, nowMs }));
}

function draftsOf(judged: readonly Judged[]): readonly Draft[] {
  const drafts: Draft[] = [];
  for (const one of judged) if ("draft" in one) drafts.push(one.draft);
  return drafts;
}

function outcomesOf(judged: readonly Judged[], answers: readonly Published[]): readonly BulkOutcome[] {
  let next = 0;
  return judged.map((one) => ("draft" in one ? judge(answers[next++], one.options) : one));
}

type Judged = { readonly draft: Draft; readonly options: PublishOptions } | BulkOutcome;

const ITEM_NAMES: ReadonlySet<string> = new Set(["method", "args", ...PUBLISH_OPTIONS]);

/** The draft of an item, or why it is refused: without the broker, and without harm to the others. */
function judgeItem(
  parts: PublisherParts,
  item: BulkItem,
  { all, nowMs }: { readonly all: PublishOptions; readonly nowMs: number },
): Judged {
  try {
    assertKnownNames(item, ITEM_NAMES, "member of an item");
    const options = itemOptions(all, item);
    const call = { method: item.method, args: item.args ?? [] };
    return { draft: checkedDraft(parts, call, { options, nowMs }), options };
  } catch (error) {
    return refusal(error);
  }
}

/** The draft with its body, once everything that can be refused without the broker has been. */
export function checkedDraft(
  { broker, codec }: PublisherParts,
  call: Call,
  { options, nowMs }: { readonly options: PublishOptions; readonly nowMs: number },
): Draft {
  const draft = makeDraft(call, options, nowMs);
  assertSupported(draft, broker.capabilities, broker.queue);
  // Refused here, it harms no other draft; the broker keeps the text that was checked.
  draft.body = codec.encode(draft);
  return draft;
}

function judge(answer: Published | undefined, options: PublishOptions): BulkOutcome {
  if (answer === undefined) return { kind: "refused", code: "BUG", reason: "the broker gave no answer" };
  if (answer.kind === "kept") return { kind: "kept", id: answer.id };
  if (answer.kind === "refused") return answer;
  const replacing = options.onDuplicate === "replace";
  if (!replacing && options.onDuplicate !== "error") return { kind: "duplicate", of: answer.of };
  const why = replacing ? "and cannot be replaced" : "and is not finished";
  const reason = `task ${answer.of} has the key "${options.key ?? ""}", is ${answer.state} ${why}`;
  return { kind: "refused", code: "DUPLICATE", reason };
}

function refusal(error: unknown): BulkOutcome {
  const code = error instanceof MemqError ? error.code : "BUG";
  return { kind: "refused", code, reason: describeError(error) };
}
