import type { Settled } from "../../ports/broker.ts";
import { sealName } from "../../ports/results.ts";
import type { Keep } from "../../ports/results.ts";
import type { Outcome } from "../../task/outcome.ts";
import { withoutValue } from "../../task/result.ts";
import type { HeldTask } from "./hold.ts";
import type { Parts } from "./parts.ts";
import type { Item, Known } from "./session.ts";
import type { Operation } from "./wire.ts";

/** A held task that is to be ended, and what is to be kept of it. */
export interface KeptEnding {
  readonly task: HeldTask;
  readonly outcome: Outcome;
  readonly keep?: Keep | undefined;
}

/** A result as it is to be written. */
interface Writing {
  readonly task: HeldTask;
  readonly keep: Keep;
  readonly key: string;
  readonly value: string;
  readonly ttlSeconds: number;
}

/** A result that stands, while its task is still there: nobody takes it for one. */
interface Candidate {
  readonly writing: Writing;
  readonly cas: bigint;
  /** What stood there before. */
  readonly before?: Item | undefined;
  /** It stands without its value, for want of room. */
  readonly isBrief?: true;
}

type Kept = Candidate | "full" | "others" | undefined;

// What other owners of the task write in between; each of them writes once.
const MOST_ROUNDS = 5;

// A longer time would be a moment since 1970 to memcached.
const MAX_TTL_SECONDS = 30 * 86_400;

/**
 * Writes results before the records of their tasks go: when a process dies in between, the task is run again, and its
 * result is another one. Only who still has the record, by its version, puts a result in the place of one that stands.
 */
export class ResultKeeper {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** To be called before the tasks are ended; what it answers is to be told how that went. */
  async keep(endings: readonly KeptEnding[]): Promise<KeptResults> {
    const writings = endings.map(({ task, outcome, keep }) =>
      keep === undefined || outcome.kind !== "done" ? undefined : this.#writing(task, keep),
    );
    const wanted = writings.filter((writing) => writing !== undefined);
    const sure = (await this.#parts.session.surely(wanted.map(adding))).values();
    const kept: Kept[] = [];
    for (const writing of writings) {
      const answer = writing && sure.next().value?.answer;
      kept.push(writing && (await this.#after(writing, answer)));
    }
    return new KeptResults(this.#parts, kept);
  }

  #writing(task: HeldTask, keep: Keep): Writing {
    const { keys, codec } = this.#parts;
    const { id } = task.claim.task;
    const ttlSeconds = Math.min(MAX_TTL_SECONDS, Math.ceil(keep.forMs / 1_000) + 1);
    return { task, keep, key: keys.result(id), value: codec.seal(sealName(id), keep.text), ttlSeconds };
  }

  /** Goes on where a first try to add it has led. */
  async #after(writing: Writing, answer: Known | undefined): Promise<Kept> {
    const kept = await this.#settle(writing, answer);
    if (kept !== "full") return kept;
    const { task, keep } = writing;
    const why = `memcached at ${this.#parts.session.wire.server} had no room for its value`;
    const brief = this.#writing(task, { ...keep, text: withoutValue(keep.text, why) });
    const rest = await this.#settle(brief, (await this.#parts.session.sure(adding(brief))).answer);
    return typeof rest === "object" ? { ...rest, isBrief: true } : rest;
  }

  async #settle(writing: Writing, first: Known | undefined): Promise<Kept> {
    let before: Item | undefined;
    for (let round = 0, answer = first; round < MOST_ROUNDS && answer !== undefined; round++) {
      if (answer.kind === "ok") return { writing, cas: answer.cas, before };
      if (answer.kind === "full" || answer.kind === "tooLarge") return "full";
      before = await this.#parts.session.get(writing.key);
      // A first sending was done whose answer was lost.
      if (before?.value.toString() === writing.value) return { writing, cas: before.cas };
      if (!(await this.#isMine(writing.task))) return "others";
      const next = before === undefined ? adding(writing) : replacing(writing, before.cas);
      answer = (await this.#parts.session.sure(next)).answer;
    }
    return "others";
  }

  async #isMine({ record }: HeldTask): Promise<boolean> {
    const item = await this.#parts.session.get(this.#parts.keys.record(record.hold.epoch, record.name));
    return item?.cas === record.cas;
  }
}

/** The results of tasks that are being ended. */
class KeptResults {
  readonly #parts: Parts;
  readonly #kept: readonly Kept[];

  constructor(parts: Parts, kept: readonly Kept[]) {
    this.#parts = parts;
    this.#kept = kept;
  }

  /** Takes back those of tasks that others have; answers how each ending went, results included. */
  async conclude(settled: readonly Settled[]): Promise<readonly Settled[]> {
    const withdrawn = this.#kept.flatMap((kept, at) =>
      settled[at] === "lost" && typeof kept === "object" ? [kept] : [],
    );
    await this.#parts.session.surely(withdrawn.map(withdrawing));
    return settled.map((answer, at) =>
      answer === "settled" && isLacking(this.#kept[at]) ? "unkept" : answer,
    );
  }
}

const isLacking = (kept: Kept): boolean =>
  typeof kept === "object" ? kept.isBrief === true : kept !== undefined;

const adding = ({ key, value, ttlSeconds }: Writing): Operation => ({ kind: "add", key, value, ttlSeconds });

const replacing = ({ key, value, ttlSeconds }: Writing, cas: bigint): Operation => ({
  kind: "replace",
  key,
  value,
  ttlSeconds,
  cas,
});

/** By its version: what others have written since stays. */
function withdrawing({ writing, cas, before }: Candidate): Operation {
  if (before === undefined) return { kind: "delete", key: writing.key, cas };
  return { kind: "replace", key: writing.key, value: before.value, ttlSeconds: writing.ttlSeconds, cas };
}
