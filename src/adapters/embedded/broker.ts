import { MemqError } from "../../errors.ts";
import { MAX_BATCH } from "../../ports/broker.ts";
import type * as port from "../../ports/broker.ts";
import type { Draft, TaskRecord, TaskState } from "../../task/task.ts";
import type { Bell } from "../../host/bell.ts";
import { EmbeddedBulks } from "./bulks.ts";
import { claim } from "./claiming.ts";
import { leaseFrom, prolong } from "./holder.ts";
import { depth, find, findKey, list } from "./inspecting.ts";
import { EmbeddedNotes } from "./notes.ts";
import type { Owner } from "./owner.ts";
import { publish } from "./publishing.ts";
import { leave, release } from "./releasing.ts";
import { EmbeddedResults } from "./results.ts";
import { settle } from "./settling.ts";
import type { Shrinker } from "./shrinking.ts";
import { start } from "./starting.ts";
import type { StoredQueue } from "./stored-queue.ts";
import { cancel, pause, purge, putBack, resume } from "./upkeep.ts";
import { wait } from "./waiting.ts";

/** What an owner works with once the store is open. */
export interface Desk {
  readonly queue: StoredQueue;
  readonly owner: Owner;
  readonly bell: Bell;
  /** Rings when tasks have ended that somebody may wait for. */
  readonly resultBell: Bell;
  readonly shrinker: Shrinker;
}

// Each publish waits for the disk once. Of more, V8 moves as much about as the waits would take.
const PUBLISH_LIMIT = 2_000;

/** One owner of one queue of the embedded store. Each method opens the store if it is not open yet. */
export class EmbeddedBroker implements port.Broker {
  readonly queue: string;
  readonly capabilities: port.Capabilities = {
    durability: "disk",
    delay: true,
    keys: true,
    list: true,
    publishLimit: PUBLISH_LIMIT,
  };
  readonly notes = new EmbeddedNotes(async () => (await this.#open()).queue);
  readonly bulks = new EmbeddedBulks(() => this.#open());
  readonly results = new EmbeddedResults(() => this.#open());
  readonly #openDesk: (known: Desk | undefined) => Promise<Desk>;
  #desk: Desk | undefined;
  #closed = false;

  /** `openDesk` answers the desk it is given while that is still good. */
  constructor(queue: string, openDesk: (known: Desk | undefined) => Promise<Desk>) {
    this.queue = queue;
    this.#openDesk = openDesk;
  }

  async publish(drafts: readonly Draft[]): Promise<readonly port.Published[]> {
    assertBatch(drafts.length, "published", PUBLISH_LIMIT);
    if (drafts.length === 0) return [];
    const { queue, bell } = await this.#open();
    const answers = await publish(queue, drafts);
    if (answers.some(({ kind }) => kind === "kept")) bell.ring();
    return answers;
  }

  async claim({ limit, atOnce }: port.ClaimRequest): Promise<port.Claimed> {
    const { queue, owner } = await this.#open();
    return claim(queue, owner, { atOnce, limit: Math.min(Math.max(1, Math.floor(limit)), MAX_BATCH) });
  }

  start(claim: port.Claim, options: port.StartOptions): port.Started | Promise<port.Started> {
    if (this.#desk === undefined) return "lost";
    const { queue, owner } = this.#desk;
    return start(queue, owner, { claim, options });
  }

  async settle(settlements: readonly port.Settlement[]): Promise<readonly port.Settled[]> {
    assertBatch(settlements.length, "settled");
    if (settlements.length === 0) return [];
    const { queue, owner, bell, resultBell, shrinker } = await this.#open();
    const { answers, retried, ended } = await settle(queue, owner, settlements);
    if (retried) bell.ring();
    if (ended) resultBell.ring();
    await shrinker.afterSettle();
    return answers;
  }

  async release(claims: readonly port.Claim[]): Promise<void> {
    if (claims.length === 0) return;
    const { queue, owner, bell } = await this.#open();
    if (await release(queue, owner, claims)) bell.ring();
  }

  async renew(): Promise<void> {
    const { tenure } = this.#desk?.owner ?? {};
    if (tenure === undefined) return;
    const { queue, owner } = await this.#open();
    const lease = leaseFrom(queue.clock.now(), owner);
    const renewed = await queue.connection.write("relaxed", () =>
      prolong(queue.connection, tenure.holder, lease),
    );
    if (renewed) owner.renewed({ holder: tenure.holder, leaseEndsAt: lease.endsAt });
    else owner.lose();
  }

  async pause(untilMs?: number): Promise<void> {
    const { queue } = await this.#open();
    await pause(queue, untilMs);
  }

  async resume(): Promise<void> {
    const { queue, bell } = await this.#open();
    await resume(queue);
    bell.ring();
  }

  async depth(): Promise<port.Depth> {
    return depth((await this.#open()).queue);
  }

  async list(state: TaskState, page: port.PageRequest): Promise<port.Page> {
    return list(await this.#open(), state, page);
  }

  async find(id: string): Promise<TaskRecord | undefined> {
    return find(await this.#open(), id);
  }

  async findKey(key: string): Promise<TaskRecord | undefined> {
    return findKey(await this.#open(), key);
  }

  async putBack(ids: readonly string[] | "all"): Promise<number> {
    const { queue, bell } = await this.#open();
    const count = await putBack(queue, ids);
    if (count > 0) bell.ring();
    return count;
  }

  async cancel(id: string): Promise<port.Cancelled> {
    const { queue, owner, resultBell } = await this.#open();
    const cancelled = await cancel(queue, owner, id);
    if (cancelled === "cancelled") resultBell.ring();
    return cancelled;
  }

  async purge(states: readonly TaskState[]): Promise<number> {
    const { queue, resultBell, shrinker } = await this.#open();
    const count = await purge(queue, states);
    if (count === 0) return 0;
    resultBell.ring();
    await shrinker.afterPurge();
    return count;
  }

  /** A store on disk loses nothing silently. */
  losses(): Promise<readonly port.Loss[]> {
    return Promise.resolve([]);
  }

  async wait(untilMs: number, signal: AbortSignal): Promise<void> {
    const { queue, owner, bell, shrinker } = await this.#open();
    await wait(queue, owner, { untilMs, signal, bell, shrinker });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#desk === undefined) return;
    const { queue, owner, bell } = this.#desk;
    if (await leave(queue, owner)) bell.ring();
  }

  /** What the store works with to do something with several of its queues at once. */
  desk(): Promise<Desk> {
    return this.#open();
  }

  async #open(): Promise<Desk> {
    if (this.#closed) throw new MemqError("BUG", `queue "${this.queue}" was used after it was closed`);
    this.#desk = await this.#openDesk(this.#desk);
    return this.#desk;
  }
}

function assertBatch(count: number, verb: string, most = MAX_BATCH): void {
  if (count <= most) return;
  throw new MemqError(
    "BUG",
    `${String(count)} tasks were to be ${verb} at once, the most is ${String(most)}`,
  );
}
