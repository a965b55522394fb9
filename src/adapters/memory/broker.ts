import { LEASE_MS, MAX_BATCH } from "../../ports/broker.ts";
import type {
  Broker,
  Cancelled,
  Capabilities,
  Claim,
  Claimed,
  ClaimRequest,
  Depth,
  Loss,
  Page,
  PageRequest,
  Published,
  Settled,
  Settlement,
  Started,
} from "../../ports/broker.ts";
import type { Bulks } from "../../ports/bulks.ts";
import type { Notes } from "../../ports/notes.ts";
import type { Codec } from "../../task/codec.ts";
import type { Draft, TaskRecord, TaskState } from "../../task/task.ts";
import { assertBatch } from "./batch-limit.ts";
import { MemoryBulks } from "./bulks.ts";
import { claimFrom } from "./claiming.ts";
import { becomes, recordOf, stateOf } from "./entry.ts";
import type { Entry, Hold } from "./entry.ts";
import { pageOf } from "./page.ts";
import { keepDraft } from "./publishing.ts";
import type { MemoryQueue } from "./queue.ts";
import { MemoryResults } from "./results.ts";
import { endEntry } from "./settling.ts";

/** One owner of a queue in memory: the reference of what every broker does, and the users' test broker. */
export class MemoryBroker implements Broker {
  readonly capabilities: Capabilities = { durability: "memory", delay: true, keys: true, list: true };
  /** Names its holds; no two owners of a queue have the same. */
  readonly owner: string;
  readonly bulks: Bulks;
  readonly results: MemoryResults;
  readonly #queue: MemoryQueue;
  readonly #codec: Codec;
  /** The bell's count when this owner last looked: what rang since must not be waited for. */
  #heard = -1;
  #passedOverSince: number | undefined;

  constructor(queue: MemoryQueue, codec: Codec) {
    this.#queue = queue;
    this.#codec = codec;
    this.bulks = new MemoryBulks(queue, codec);
    this.results = new MemoryResults(queue, codec);
    this.owner = `memory:${String(queue.nextNumber())}`;
  }

  get queue(): string {
    return this.#queue.name;
  }

  get notes(): Notes {
    return this.#queue.notes;
  }

  publish(drafts: readonly Draft[]): Promise<readonly Published[]> {
    return this.#step(() => {
      assertBatch("publish", drafts.length);
      return drafts.map((draft) => keepDraft(this.#queue, this.#codec, { draft }));
    });
  }

  claim(request: ClaimRequest): Promise<Claimed> {
    return promised(() => {
      const limit = Math.min(request.limit, MAX_BATCH);
      const claimer = {
        owner: this.owner,
        codec: this.#codec,
        limit,
        passedOverSince: this.#passedOverSince,
      };
      const { claimed, passedOver } = claimFrom(this.#queue, claimer);
      this.#passedOverSince = passedOver ? (this.#passedOverSince ?? this.#now()) : undefined;
      this.#heard = this.#queue.bell.rings;
      return claimed;
    });
  }

  start(claim: Claim): Started {
    const held = this.#held(claim);
    if (held === undefined || held.hold.leaseEndsAt <= this.#now()) return "lost";
    this.#queue.shelf.put(becomes.started(held.entry, held.hold));
    return "started";
  }

  settle(settlements: readonly Settlement[]): Promise<readonly Settled[]> {
    return this.#step(() => {
      assertBatch("settle", settlements.length);
      return settlements.map((settlement) => this.#settle(settlement));
    });
  }

  release(claims: readonly Claim[]): Promise<void> {
    return this.#step(() => {
      for (const claim of claims) {
        const held = this.#held(claim);
        if (held !== undefined) this.#queue.shelf.put(becomes.released(held.entry, held.hold));
      }
    });
  }

  renew(): Promise<void> {
    return promised(() => {
      const leaseEndsAt = this.#now() + LEASE_MS;
      for (const { entry, hold } of this.#holdings()) {
        this.#queue.shelf.put(becomes.leased(entry, hold, leaseEndsAt));
      }
    });
  }

  pause(untilMs = Infinity): Promise<void> {
    return promised(() => {
      this.#queue.pause(untilMs);
    });
  }

  resume(): Promise<void> {
    return this.pause(-Infinity);
  }

  depth(): Promise<Depth> {
    return promised(() => {
      const { shelf } = this.#queue;
      const now = this.#now();
      const [waiting, delayed] = [shelf.in("waiting", now), shelf.in("delayed", now)];
      const pausedUntil = this.#queue.pausedUntil(now);
      return {
        waiting: waiting.length,
        delayed: delayed.length,
        running: shelf.in("running", now).length,
        dead: shelf.in("dead", now).length,
        ...(waiting[0] !== undefined && { oldestWaitingAt: waiting[0].since }),
        ...(delayed[0] !== undefined && { nextDueAt: delayed[0].since }),
        ...(pausedUntil !== undefined && { pausedUntil }),
      };
    });
  }

  list(state: TaskState, page: PageRequest): Promise<Page> {
    return promised(() => {
      const { shown, next } = pageOf(this.#queue.shelf.in(state, this.#now()), page);
      const tasks = shown.map((entry) => this.#record(entry));
      return { tasks, ...(next !== undefined && { next }) };
    });
  }

  find(id: string): Promise<TaskRecord | undefined> {
    return promised(() => {
      const entry = this.#queue.shelf.get(id);
      return entry && this.#record(entry);
    });
  }

  findKey(key: string): Promise<TaskRecord | undefined> {
    return promised(() => {
      const entry = this.#queue.shelf.unfinished(key) ?? this.#queue.shelf.dead(key);
      return entry && this.#record(entry);
    });
  }

  putBack(ids: readonly string[] | "all"): Promise<number> {
    return this.#step(() => {
      const { shelf } = this.#queue;
      const chosen = ids === "all" ? shelf.in("dead", this.#now()).map((entry) => entry.id) : ids;
      return chosen.filter((id) => this.#putBack(id)).length;
    });
  }

  cancel(id: string): Promise<Cancelled> {
    return promised(() => {
      const entry = this.#queue.shelf.get(id);
      if (entry === undefined) return "absent";
      if (stateOf(entry, this.#now()) === "running") return "running";
      this.#queue.remove(entry);
      return "cancelled";
    });
  }

  purge(states: readonly TaskState[]): Promise<number> {
    return promised(() => {
      const { shelf } = this.#queue;
      const now = this.#now();
      const still = states.filter((state) => state !== "running");
      const purged = [...new Set(still)].flatMap((state) => shelf.in(state, now));
      for (const entry of purged) this.#queue.remove(entry);
      return purged.length;
    });
  }

  /** Memory forgets nothing while the process lives. */
  losses(): Promise<readonly Loss[]> {
    return Promise.resolve([]);
  }

  async wait(untilMs: number, signal: AbortSignal): Promise<void> {
    const { bell, clock } = this.#queue;
    const hasMissed = bell.rings !== this.#heard;
    this.#heard = bell.rings;
    if (hasMissed) return;
    const over = new AbortController();
    const end = (): void => {
      over.abort();
    };
    const leave = bell.listen(end);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    await clock.until(Math.min(untilMs, this.#queue.nextChangeAt(clock.now())), over.signal);
    signal.removeEventListener("abort", end);
    leave();
  }

  close(): Promise<void> {
    return this.#step(() => {
      for (const { entry, hold } of this.#holdings()) this.#queue.shelf.put(becomes.released(entry, hold));
    });
  }

  #now(): number {
    return this.#queue.clock.now();
  }

  #record(entry: Entry): TaskRecord {
    return recordOf(entry, this.#codec, this.#now());
  }

  /** A step after which other owners should look again. */
  #step<T>(work: () => T): Promise<T> {
    return promised(() => {
      const answer = work();
      this.#queue.bell.ring();
      return answer;
    });
  }

  /** The claim's entry, unless another owner has or had it. */
  #held(claim: Claim): Held | undefined {
    const entry = this.#queue.shelf.get(claim.task.id);
    return entry?.hold?.receipt === claim.receipt ? { entry, hold: entry.hold } : undefined;
  }

  *#holdings(): Iterable<Held> {
    for (const entry of this.#queue.shelf.all()) {
      if (entry.hold?.owner === this.owner) yield { entry, hold: entry.hold };
    }
  }

  #settle({ claim, ...ending }: Settlement): Settled {
    const entry = this.#held(claim)?.entry;
    if (entry === undefined) return "lost";
    endEntry(this.#queue, entry, { ...ending, results: this.results });
    return "settled";
  }

  /** Whether it was a dead letter whose key nobody has taken meanwhile. */
  #putBack(id: string): boolean {
    const { shelf } = this.#queue;
    const entry = shelf.get(id);
    if (entry?.buriedAt === undefined) return false;
    if (entry.key !== undefined && shelf.unfinished(entry.key) !== undefined) return false;
    shelf.put(becomes.putBack(entry, this.#now()));
    return true;
  }
}

interface Held {
  readonly entry: Entry;
  readonly hold: Hold;
}

/** Does the work now, all of it; what it throws becomes a rejection. */
const promised = <T>(work: () => T): Promise<T> =>
  new Promise((resolve) => {
    resolve(work());
  });
