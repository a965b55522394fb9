import type { Broker, Claim, Idle, Published, Settlement } from "../../src/ports/broker.ts";
import type { Draft, TaskRecord, TaskState } from "../../src/task/task.ts";
import type { QueueUnderTest } from "../contract/broker-contract.ts";
import type { Ending, Wish } from "./command.ts";

/** A claim as the history knows it: the task's name, and which claim of that task it is. */
export interface Held {
  readonly name: string;
  readonly nth: number;
}

/**
 * One broker under a history. Answers come out with names for ids and with times counted from the
 * beginning, so that two sides can be compared.
 */
export class Side {
  readonly #queue: QueueUnderTest;
  readonly #seats: Broker[];
  readonly #stalled: Broker[] = [];
  readonly #ids = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #claims = new Map<string, Claim>();
  readonly #beganAt: number;

  private constructor(queue: QueueUnderTest, seats: Broker[]) {
    this.#queue = queue;
    this.#seats = seats;
    this.#beganAt = queue.now();
  }

  static async begin(queue: QueueUnderTest): Promise<Side> {
    return new Side(queue, [await queue.open(), await queue.open(), await queue.open()]);
  }

  async publish(who: number, wishes: readonly (readonly [name: string, wish: Wish])[]): Promise<unknown[]> {
    const answers = await this.#seat(who).publish(wishes.map(([name, wish]) => this.#draft(name, wish)));
    answers.forEach((answer, index) => {
      const [name = ""] = wishes[index] ?? [];
      if (answer.kind !== "kept") return;
      this.#ids.set(name, answer.id);
      this.#names.set(answer.id, name);
    });
    return answers.map((answer) => this.#shownAnswer(answer));
  }

  async claim(who: number, wish: ClaimWish): Promise<ShownClaimed> {
    const { claims, idle, findings } = await this.#seat(who).claim({ limit: wish.limit, atOnce: who + 1 });
    const shown = claims.map((claim) => {
      const name = this.#name(claim.task.id);
      this.#claims.set(labelOf({ name, nth: wish.nthOf(name) }), claim);
      return { name, said: claim.task.args[0], attempt: claim.attempt, alone: claim.alone };
    });
    // Why there is nothing for an owner that holds something is not told exactly.
    const why = wish.handsAreEmpty || idle?.kind === "paused" ? idle : undefined;
    return {
      claims: shown,
      paused: idle?.kind === "paused",
      idle: why && this.#shownIdle(why),
      findings: findings.length,
    };
  }

  async start(who: number, held: Held, last: boolean): Promise<string> {
    return await this.#seat(who).start(this.#claim(held), { last });
  }

  settle(who: number, settled: readonly (readonly [Held, Ending])[]): Promise<readonly string[]> {
    return this.#seat(who).settle(settled.map(([held, ending]) => this.#settlement(held, ending)));
  }

  lateSettle(stalled: number, held: Held, ending: Ending): Promise<readonly string[]> {
    const owner = this.#stalled[stalled];
    if (owner === undefined) throw new Error("nobody stalled");
    return owner.settle([this.#settlement(held, ending)]);
  }

  async release(who: number, held: readonly Held[]): Promise<void> {
    await this.#seat(who).release(held.map((one) => this.#claim(one)));
  }

  /** In steps short enough that nobody who renews after each loses its lease. */
  async advance(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= 9) {
      await this.#queue.advance(Math.min(left, 9) * 1_000);
      for (const seat of this.#seats) await seat.renew();
    }
  }

  async kill(who: number): Promise<void> {
    await this.#queue.kill(this.#seat(who));
    this.#seats[who] = await this.#queue.open();
  }

  async lapse(who: number): Promise<void> {
    const owner = this.#seat(who);
    await this.#queue.lapse(owner);
    this.#stalled.push(owner);
    this.#seats[who] = await this.#queue.open();
  }

  async close(who: number): Promise<void> {
    await this.#seat(who).close();
    this.#seats[who] = await this.#queue.open();
  }

  cancel(who: number, name: string): Promise<string> {
    return this.#seat(who).cancel(this.#id(name));
  }

  putBack(who: number, name: string): Promise<number> {
    return this.#seat(who).putBack(name === "all" ? "all" : [this.#id(name)]);
  }

  pause(who: number, seconds: number | undefined): Promise<void> {
    return this.#seat(who).pause(seconds === undefined ? undefined : this.#queue.now() + seconds * 1_000);
  }

  resume(who: number): Promise<void> {
    return this.#seat(who).resume();
  }

  purge(who: number, states: readonly TaskState[]): Promise<number> {
    return this.#seat(who).purge(states);
  }

  async find(who: number, name: string): Promise<unknown> {
    const record = await this.#seat(who).find(this.#id(name));
    return record && this.#shownRecord(record);
  }

  /** All pages as one. */
  async list(who: number, state: TaskState, limit: number): Promise<unknown[]> {
    const shown: unknown[] = [];
    let after: string | undefined;
    do {
      const page = await this.#seat(who).list(state, { limit, ...(after !== undefined && { after }) });
      shown.push(...page.tasks.map((record) => this.#shownRecord(record)));
      after = page.next;
    } while (after !== undefined && shown.length < 1_000);
    // Nobody promises an order of the tasks that run.
    return state === "running" ? shown.map((record) => JSON.stringify(record)).sort() : shown;
  }

  /** While a death is unnoticed, what the dead owner held counts as waiting or as running. */
  async depth(who: number, unnoticed: boolean): Promise<Record<string, number | undefined>> {
    const depth = await this.#seat(who).depth();
    const { waiting, delayed, running, dead, oldestWaitingAt, nextDueAt, pausedUntil } = depth;
    return {
      total: waiting + delayed + running + dead,
      delayed,
      dead,
      nextDueAt: this.#time(nextDueAt),
      pausedUntil: this.#time(pausedUntil),
      ...(!unnoticed && { waiting, running, oldestWaitingAt: this.#time(oldestWaitingAt) }),
    };
  }

  #seat(who: number): Broker {
    const seat = this.#seats[who];
    if (seat === undefined) throw new Error(`there is no seat ${String(who)}`);
    return seat;
  }

  #claim(held: Held): Claim {
    const claim = this.#claims.get(labelOf(held));
    if (claim === undefined) throw new Error(`${labelOf(held)} was never claimed`);
    return claim;
  }

  #draft(name: string, { delay, key, replace }: Wish): Draft {
    return {
      method: "note",
      args: [name],
      ...(delay !== undefined && { dueAt: this.#queue.now() + delay * 1_000 }),
      ...(key !== undefined && { key }),
      onDuplicate: replace ? "replace" : "keep",
    };
  }

  #settlement(held: Held, ending: Ending): Settlement {
    const claim = this.#claim(held);
    if (ending === "done") return { claim, outcome: { kind: "done" } };
    if (ending === "dead") return { claim, outcome: { kind: "dead", reason: `${held.name} is dead` } };
    const at = this.#queue.now() + ending.retryIn * 1_000;
    return { claim, outcome: { kind: "retry", at, error: `${held.name} failed` } };
  }

  #id(name: string): string {
    return this.#ids.get(name) ?? "never kept";
  }

  #name(id: string): string {
    return this.#names.get(id) ?? `unknown id ${id}`;
  }

  #time(at: number | undefined): number | undefined {
    return at === undefined ? undefined : at - this.#beganAt;
  }

  #shownAnswer(answer: Published): unknown {
    if (answer.kind === "duplicate") return { ...answer, of: this.#name(answer.of) };
    if (answer.kind === "refused") return answer;
    return { kind: "kept", replaced: answer.replaced && this.#name(answer.replaced) };
  }

  #shownIdle(idle: Idle): unknown {
    const shown = Object.entries(idle).map(([name, value]: [string, unknown]) => [
      name,
      typeof value === "number" && name !== "count" ? this.#time(value) : value,
    ]);
    return Object.fromEntries(shown) as unknown;
  }

  #shownRecord({ id, state, task, attempts, at, error }: TaskRecord): unknown {
    const common = { name: this.#name(id), state, key: task?.key, error };
    // While it runs, a start need not be on record, and leases may end together or one by one.
    return state === "running" ? common : { ...common, attempts, at: this.#time(at) };
  }
}

/** What is claimed, and what the history knows about it. */
export interface ClaimWish {
  readonly limit: number;
  readonly nthOf: (name: string) => number;
  readonly handsAreEmpty: boolean;
}

/** What a claim call said, comparable. */
export interface ShownClaimed {
  readonly claims: readonly {
    readonly name: string;
    readonly said: unknown;
    readonly attempt: number;
    readonly alone: boolean;
  }[];
  readonly paused: boolean;
  readonly idle: unknown;
  readonly findings: number;
}

const labelOf = ({ name, nth }: Held): string => `claim ${String(nth)} of ${name}`;
