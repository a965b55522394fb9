import type { Claim } from "../../ports/broker.ts";
import type { Progress } from "../../task/result.ts";
import type { Holdings } from "./holdings.ts";
import type { HeldTask } from "./hold.ts";
import type { Shown } from "./inspector.ts";
import type { Parts } from "./parts.ts";
import type { Item } from "./session.ts";
import type { Answer, Operation } from "./wire.ts";

// Longer than a task runs that says how far it is; what a dead process left ends by itself.
const TTL_SECONDS = 86_400;
// Somebody else's last word may stand there.
const MOST_TRIES = 3;

/** What running tasks say of themselves: an item each, of the stake under which they run. */
export class ProgressItems {
  readonly #parts: Parts;
  readonly #holdings: Holdings;
  /** By receipt: what this owner has written. */
  readonly #written = new Map<string, bigint>();

  constructor(parts: Parts, holdings: Holdings) {
    this.#parts = parts;
    this.#holdings = holdings;
  }

  async write(claim: Claim, progress: Progress): Promise<void> {
    const task = this.#holdings.find(claim);
    if (task?.phase !== "started") return;
    const key = this.#parts.keys.progress(claim.task.id);
    const value = textOf(task, progress);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const known = this.#written.get(claim.receipt) ?? (await this.#parts.session.get(key))?.cas;
      const [answer] = await this.#parts.session.ask([writing(key, value, known)]);
      this.#written.delete(claim.receipt);
      if (answer?.kind === "ok") this.#written.set(claim.receipt, answer.cas);
      if (!isOthers(answer)) return; // unknown, or no room: the next one comes soon
    }
  }

  /** Of the tasks that are shown as running, by their ids. */
  async read(shown: ReadonlyMap<string, Shown>): Promise<ReadonlyMap<string, Progress>> {
    const { session, keys } = this.#parts;
    const running = [...shown].filter(([, { place }]) => place.stake !== undefined);
    const items = await session.getAll(running.map(([id]) => keys.progress(id)));
    return new Map(
      running.flatMap(([id, { place }], at): (readonly [string, Progress])[] => {
        const stake = place.stake && `${place.stake.id}.${String(place.stake.generation)}`;
        const said = progressIn(items[at], stake);
        return said === undefined ? [] : [[id, said]];
      }),
    );
  }

  /** Those tasks have ended. */
  async forget(ended: readonly { readonly task: HeldTask }[]): Promise<void> {
    if (this.#written.size === 0) return;
    const deletions = ended.flatMap(({ task: { claim } }) => {
      const cas = this.#written.get(claim.receipt);
      this.#written.delete(claim.receipt);
      return cas === undefined
        ? []
        : [{ kind: "delete", key: this.#parts.keys.progress(claim.task.id), cas } as const];
    });
    await this.#parts.session.ask(deletions);
  }
}

/** Another version stands there, or none any more. */
const isOthers = (answer: Answer | undefined): boolean =>
  answer?.kind === "exists" || answer?.kind === "missing";

const writing = (key: string, value: string, cas: bigint | undefined): Operation =>
  cas === undefined
    ? { kind: "add", key, value, ttlSeconds: TTL_SECONDS }
    : { kind: "replace", key, value, ttlSeconds: TTL_SECONDS, cas };

const textOf = (task: HeldTask, { done, total, at }: Progress): string =>
  JSON.stringify([stakeOf(task), done, total ?? null, Math.round(at)]);

const stakeOf = ({ record: { hold } }: HeldTask): string =>
  `${hold.stake.id}.${String(hold.stake.generation)}`;

function progressIn(item: Item | undefined, stake: string | undefined): Progress | undefined {
  if (item === undefined) return undefined;
  const [of, done, total, at] = wordsIn(item.value.toString("utf8"));
  if (of !== stake || typeof done !== "number" || typeof at !== "number") return undefined;
  return { done, ...(typeof total === "number" && { total }), at };
}

function wordsIn(text: string): readonly unknown[] {
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) ? words : [];
  } catch {
    return []; // a newer memq's, or somebody else's
  }
}
