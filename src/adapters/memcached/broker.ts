import { MemqError } from "../../errors.ts";
import { thisProcess } from "../../host/process-identity.ts";
import type { ProcessIdentity } from "../../host/process-identity.ts";
import { LEASE_MS, MAX_BATCH } from "../../ports/broker.ts";
import type {
  Broker,
  Cancelled,
  Capabilities,
  Claim,
  Claimed,
  ClaimRequest,
  ClaimedAhead,
  Depth,
  Loss,
  Page,
  PageRequest,
  Published,
  Settled,
  Settlement,
  Started,
  StartOptions,
} from "../../ports/broker.ts";
import type { Bulks } from "../../ports/bulks.ts";
import type { Notes } from "../../ports/notes.ts";
import type { Results } from "../../ports/results.ts";
import { systemClock } from "../../ports/clock.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Codec } from "../../task/codec.ts";
import type { Draft, TaskRecord, TaskState } from "../../task/task.ts";
import type { HeldTask } from "./hold.ts";
import type { KeptEnding } from "./result-keeper.ts";
import { isKeyed, isName, randomName } from "./names.ts";
import type { Random } from "./names.ts";
import { LIMITS } from "./parts.ts";
import type { Limits } from "./parts.ts";
import { assemble } from "./workshop.ts";
import type { Workshop } from "./workshop.ts";
import type { Wire } from "./wire.ts";

/** What a queue on memcached is opened with. */
export interface MemcachedBrokerOptions {
  /** Closed with the broker. */
  readonly wire: Wire;
  readonly queue: string;
  readonly codec: Codec;
  /** Folder in which this host remembers the queue, to notice losses. */
  readonly memory: string;
  /** Default: real time. */
  readonly clock?: Clock;
  /** Who claims. Default: this process. */
  readonly holder?: ProcessIdentity;
  /** Default LEASE_MS. */
  readonly leaseMs?: number;
  /** Most tasks in one item when several are published at once. Default "auto": by their pace, one while it is not known. */
  readonly bundle?: "auto" | number;
  /** Default: cryptographic. For tests that repeat themselves. */
  readonly random?: Random;
  /** Ms of a clock that is never set. Default: performance.now. */
  readonly elapsedMs?: () => number;
  /** For tests that want lists to end and tasks to look fast soon. */
  readonly limits?: Partial<Limits>;
}

/** Opens a queue on memcached for one owner. Nothing is sent before the first use. */
export function openMemcachedBroker(options: MemcachedBrokerOptions): Broker {
  const { bundle = "auto" } = options;
  return new MemcachedBroker(
    assemble({
      ...options,
      clock: options.clock ?? systemClock,
      holder: options.holder ?? thisProcess(),
      leaseMs: options.leaseMs ?? LEASE_MS,
      random: options.random ?? randomName,
      elapsedMs: options.elapsedMs ?? (() => performance.now()),
      limits: { ...LIMITS, ...options.limits },
      bundle,
    }),
  );
}

/** One owner of a queue on memcached: docs/memcached-layout.md. */
class MemcachedBroker implements Broker {
  readonly capabilities: Capabilities = {
    durability: "memory",
    delay: true,
    keys: true,
    list: true,
    bundles: true,
  };
  readonly notes: Notes;
  readonly bulks: Bulks;
  readonly results: Results;
  readonly #shop: Workshop;
  /** Claims, releases and the like are done one after the other; starting and settling are not held up by them. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(shop: Workshop) {
    this.#shop = shop;
    this.notes = shop.notes;
    this.bulks = shop.bulks;
    this.results = shop.results;
  }

  get queue(): string {
    return this.#shop.parts.queue;
  }

  async publish(drafts: readonly Draft[]): Promise<readonly Published[]> {
    const published = await this.#shop.publisher.publish(drafts);
    if (published.some(({ kind }) => kind === "kept")) this.#shop.bell.ring();
    this.#shop.losses.noteFirst();
    return published;
  }

  claim(request: ClaimRequest): Promise<Claimed> {
    return this.#next(async () => {
      const claimed = await this.#shop.claimer.claim(request);
      this.#shop.losses.noteMissing(claimed.findings);
      return claimed;
    });
  }

  claimAhead(request: ClaimRequest): Promise<ClaimedAhead> {
    return this.#next(() => this.#shop.claimer.claimAhead(request));
  }

  start(claim: Claim, options: StartOptions): Started | Promise<Started> {
    const task = this.#shop.holdings.find(claim);
    return task === undefined ? "lost" : this.#shop.starter.start(task, options);
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly Settled[]> {
    if (settlements.length > MAX_BATCH) throw tooMany("settle", settlements.length);
    const { holdings, parts, progress } = this.#shop;
    const tasks: (HeldTask | undefined)[] = [];
    const endings: KeptEnding[] = [];
    for (const { claim, outcome, keep } of settlements) {
      const task = unlessOver(holdings.find(claim));
      tasks.push(task);
      if (task !== undefined) endings.push({ task, outcome, keep });
    }
    const answers = (await this.#end(endings)).values();
    await progress.forget(endings);
    await this.#freeKeys(endings.map(({ task }) => task));
    await parts.control.restoreReserve();
    return tasks.map((task) => (task === undefined ? "lost" : (answers.next().value ?? "lost")));
  }

  release(claims: readonly Claim[]): Promise<void> {
    const { holdings, releaser } = this.#shop;
    const tasks = claims.flatMap((claim) => holdings.find(claim) ?? []);
    if (tasks.length === 0) return Promise.resolve();
    return this.#next(async () => {
      await releaser.release(tasks);
      this.#shop.bell.ring();
    });
  }

  renew(): Promise<void> {
    return this.#next(async () => {
      await this.#shop.renew();
      await this.#shop.scout.flush();
    });
  }

  async pause(untilMs = Infinity): Promise<void> {
    const { control, time } = this.#shop.parts;
    await time.known();
    await control.readOrBegin();
    await control.change((block) => ({ ...block, pausedUntilMs: time.serverMs(untilMs) }));
  }

  async resume(): Promise<void> {
    const { control } = this.#shop.parts;
    await control.read();
    await control.change((block) => {
      const { pausedUntilMs, ...rest } = block;
      return pausedUntilMs === undefined ? undefined : rest;
    });
    this.#shop.bell.ring();
  }

  depth(): Promise<Depth> {
    return this.#next(async () => {
      await this.#shop.scout.flush();
      return this.#shop.inspector.depth();
    });
  }

  list(state: TaskState, page: PageRequest): Promise<Page> {
    return this.#shop.listing.page(state, page);
  }

  find(id: string): Promise<TaskRecord | undefined> {
    return this.#shop.inspector.find(id);
  }

  findKey(key: string): Promise<TaskRecord | undefined> {
    return this.#shop.inspector.findKey(key);
  }

  async putBack(ids: readonly string[] | "all"): Promise<number> {
    const { deadLetters, putBack, parts } = this.#shop;
    const control = (await parts.control.read())?.control;
    if (control === undefined) return 0;
    const count = await putBack.putBack(
      ids === "all" ? await deadLetters.names(control) : ids.filter(isName),
    );
    if (count === 0) return 0;
    this.#shop.bell.ring();
    await deadLetters.tidy(control);
    return count;
  }

  async cancel(id: string): Promise<Cancelled> {
    const cancelled = isName(id) ? await this.#shop.canceller.cancel(id) : "absent";
    if (cancelled === "cancelled") this.#shop.resultBell.ring();
    return cancelled;
  }

  async purge(states: readonly TaskState[]): Promise<number> {
    const count = await this.#shop.purger.purge(states);
    if (count > 0) this.#shop.resultBell.ring();
    return count;
  }

  losses({ keep = false }: { readonly keep?: boolean } = {}): Promise<readonly Loss[]> {
    return keep ? this.#shop.losses.look() : this.#shop.losses.find();
  }

  async wait(untilMs: number, signal: AbortSignal): Promise<void> {
    await this.#next(() => this.#shop.scout.flush());
    await this.#shop.waiter.wait(untilMs, signal);
  }

  close(): Promise<void> {
    return this.#next(async () => {
      const { ender, releaser, scout, owner, parts, bell, resultBell } = this.#shop;
      try {
        await ender.pay();
        await scout.flush();
        await releaser.releaseAll();
        const hadClaimed = owner.name !== undefined;
        await owner.leave();
        if (hadClaimed) bell.ring(); // for what it has handed back
      } finally {
        bell.close();
        resultBell.close();
        parts.session.wire.close();
      }
    });
  }

  /** Results stand before the records of their tasks go. */
  async #end(endings: readonly KeptEnding[]): Promise<readonly Settled[]> {
    const { ender, resultKeeper, resultBell } = this.#shop;
    if (!endings.some(isAwaited)) return ender.end(endings);
    const kept = await resultKeeper.keep(endings);
    const settled = await kept.conclude(await ender.end(endings));
    resultBell.ring();
    return settled;
  }

  // A key's record is soon another task's: its name must not stand in a stake that has nothing to do with that.
  async #freeKeys(tasks: readonly HeldTask[]): Promise<void> {
    const keyed = tasks.filter(({ record }) => isKeyed(record.name) && !record.hold.stays);
    if (keyed.length === 0) return;
    for (const { record } of keyed) record.hold.struck.add(record.place);
    await this.#shop.scout.flush();
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(ignoreTold);
    return mine;
  }
}

/** Whether somebody may wait for that end. */
const isAwaited = ({ outcome, keep }: KeptEnding): boolean => keep !== undefined || outcome.kind === "dead";

const unlessOver = (task: HeldTask | undefined): HeldTask | undefined =>
  task?.phase === "over" ? undefined : task;

const ignoreTold = (): void => undefined; // whoever asked for the work is told how it ended

const tooMany = (verb: string, count: number): MemqError =>
  new MemqError("BUG", `${verb} of ${String(count)} tasks in one call, the most is ${String(MAX_BATCH)}`);
