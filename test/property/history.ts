import { expect } from "vitest";
import type { QueueUnderTest } from "../contract/broker-contract.ts";
import type { Command, Ending } from "./command.ts";
import { Side } from "./side.ts";
import type { Held, ShownClaimed } from "./side.ts";

interface Holding extends Held {
  started: boolean;
}

interface Late extends Held {
  /** Which of the owners that stalled. */
  readonly stalled: number;
}

/** What tells a running task from a waiting one: not the same on all while a death is unnoticed. */
const SHOWS_STATES: ReadonlySet<Command["kind"]> = new Set(["publish", "cancel", "purge", "find", "list"]);

/** Plays a history on every queue; each answer, and the depth after each step, must be the same on all. */
export async function play(history: readonly Command[], queues: readonly QueueUnderTest[]): Promise<void> {
  const told = new Told(await Promise.all(queues.map((queue) => Side.begin(queue))));
  for (const command of history) {
    await told.step(command);
    await told.compareDepth();
  }
  await told.end();
}

/** What the history itself knows: names, who holds what, how many tasks there must be. */
class Told {
  readonly #sides: readonly Side[];
  readonly #names: string[] = [];
  readonly #claims = new Map<string, number>();
  readonly #held: Holding[][] = [[], [], []];
  readonly #late: Late[] = [];
  #stalled = 0;
  #kept = 0;
  /** An owner has died or stalled, and no claim has found out yet. */
  #unnoticed = false;

  constructor(sides: readonly Side[]) {
    this.#sides = sides;
  }

  async step(command: Command): Promise<void> {
    if (this.#unnoticed && SHOWS_STATES.has(command.kind)) return;
    switch (command.kind) {
      case "publish":
        await this.#publish(command);
        break;
      case "claim":
        await this.#claim(command.who, command.limit);
        break;
      case "start":
        await this.#start(command.who, command.last);
        break;
      case "settle":
        await this.#settle(command.who, command.endings);
        break;
      case "release":
        await this.#release(command.who, command.count);
        break;
      case "advance":
        await this.#same((side) => side.advance(command.seconds));
        break;
      case "kill":
        await this.#kill(command.who);
        break;
      case "lapse":
        await this.#lapse(command.who);
        break;
      case "late":
        await this.#settleLate(command.nth, command.ending);
        break;
      case "close":
        this.#held[command.who] = [];
        await this.#same((side) => side.close(command.who));
        break;
      case "cancel":
        await this.#cancel(command.who, command.nth);
        break;
      case "putBack":
        await this.#putBack(command.who, command.nth);
        break;
      case "pause":
        await this.#same((side) => side.pause(command.who, command.seconds));
        break;
      case "resume":
        await this.#same((side) => side.resume(command.who));
        break;
      case "purge":
        this.#kept -= await this.#same((side) => side.purge(command.who, command.states));
        break;
      case "find":
        await this.#same((side) => side.find(command.who, this.#name(command.nth)));
        break;
      case "list":
        await this.#same((side) => side.list(command.who, command.state, command.limit));
        break;
    }
  }

  /** Every kept task is somewhere, and everybody sees the same. */
  async compareDepth(): Promise<void> {
    const { total } = await this.#same((side) => side.depth(0, this.#unnoticed));
    expect(total).toBe(this.#kept);
  }

  /** Everybody dies; a newcomer runs what is left, then what was dead, and nothing remains. */
  async end(): Promise<void> {
    for (const who of [0, 1, 2]) await this.#kill(who);
    await this.#same((side) => side.resume(0));
    await this.#same((side) => side.advance(700));
    for (let round = 0; round < 100 && this.#kept > 0; round++) {
      await this.#drain();
      await this.#same((side) => side.putBack(0, "all"));
    }
    expect(this.#kept).toBe(0);
    await this.compareDepth();
  }

  async #drain(): Promise<void> {
    for (let round = 0; round < 1_000; round++) {
      const { claims } = await this.#claim(0, 5);
      if (claims.length === 0) return;
      for (let left = claims.length; left > 0; left--) {
        await this.#start(0, false);
        await this.#settle(0, ["done"]);
      }
      await this.compareDepth();
    }
    throw new Error("the queue never became idle");
  }

  async #publish({ who, wishes }: Extract<Command, { kind: "publish" }>): Promise<void> {
    const drafts = wishes.map((wish) => [this.#newName(), wish] as const);
    const answers = await this.#same((side) => side.publish(who, drafts));
    for (const answer of answers as readonly { kind: string; replaced?: string }[]) {
      if (answer.kind === "kept" && answer.replaced === undefined) this.#kept += 1;
    }
  }

  async #claim(who: number, limit: number): Promise<ShownClaimed> {
    const handsAreEmpty = this.#seat(who).length === 0;
    const nthOf = (name: string): number => this.#claimsOf(name) + 1;
    const claimed = await this.#same((side) => side.claim(who, { limit, nthOf, handsAreEmpty }));
    if (!claimed.paused) this.#unnoticed = false;
    for (const { name, said } of claimed.claims) {
      expect(said).toBe(name);
      for (const seat of this.#held) expect(seat.map((holding) => holding.name)).not.toContain(name);
      this.#claims.set(name, this.#claimsOf(name) + 1);
    }
    const taken = claimed.claims.map(({ name }) => ({ name, nth: this.#claimsOf(name), started: false }));
    this.#seat(who).push(...taken);
    return claimed;
  }

  /** Tasks are started in the order they were claimed, no more at a time than the owner said. */
  async #start(who: number, last: boolean): Promise<void> {
    const next = this.#seat(who).find((holding) => !holding.started);
    const running = this.#seat(who).filter((holding) => holding.started).length;
    if (next === undefined || running > who) return;
    expect(await this.#same((side) => side.start(who, next, last))).toBe("started");
    next.started = true;
  }

  async #settle(who: number, endings: readonly Ending[]): Promise<void> {
    await this.#startAllItMay(who);
    const started = this.#seat(who).filter((holding) => holding.started);
    const settled = endings
      .slice(0, started.length)
      .map((ending, index) => [started[index], ending] as const);
    const known = settled.filter((pair): pair is readonly [Holding, Ending] => pair[0] !== undefined);
    const answers = await this.#same((side) => side.settle(who, known));
    expect(answers).toEqual(known.map(() => "settled"));
    this.#letGo(
      who,
      known.map(([holding]) => holding),
    );
    this.#kept -= known.filter(([, ending]) => ending === "done").length;
  }

  async #release(who: number, count: number): Promise<void> {
    const released = this.#seat(who).slice(-count);
    await this.#same((side) => side.release(who, released));
    this.#letGo(who, released);
  }

  async #kill(who: number): Promise<void> {
    await this.#startAllItMay(who);
    this.#unnoticed ||= this.#seat(who).length > 0;
    this.#held[who] = [];
    await this.#same((side) => side.kill(who));
  }

  async #lapse(who: number): Promise<void> {
    if (this.#seat(who).length === 0) return; // no lease to end
    await this.#startAllItMay(who);
    this.#late.push(...this.#seat(who).map(({ name, nth }) => ({ name, nth, stalled: this.#stalled })));
    this.#stalled += 1;
    this.#unnoticed = true;
    this.#held[who] = [];
    await this.#same((side) => side.lapse(who));
  }

  /** Before an end of the owner as well: what is not on record may be presumed of the first ones held, so it is made true. */
  async #startAllItMay(who: number): Promise<void> {
    for (let count = 0; count <= who; count++) await this.#start(who, false);
  }

  /** Only once another has or had the task is the answer to a late settle fixed. */
  async #settleLate(nth: number, ending: Ending): Promise<void> {
    const taken = this.#late.filter((late) => this.#claimsOf(late.name) > late.nth);
    const late = taken[nth % Math.max(taken.length, 1)];
    if (late === undefined) return;
    expect(await this.#same((side) => side.lateSettle(late.stalled, late, ending))).toEqual(["lost"]);
  }

  async #cancel(who: number, nth: number): Promise<void> {
    const answer = await this.#same((side) => side.cancel(who, this.#name(nth)));
    if (answer === "cancelled") this.#kept -= 1;
  }

  async #putBack(who: number, nth: number | "all"): Promise<void> {
    await this.#same((side) => side.putBack(who, nth === "all" ? "all" : this.#name(nth)));
  }

  async #same<T>(ask: (side: Side) => Promise<T>): Promise<T> {
    const [first, ...others] = await Promise.all(this.#sides.map(ask));
    for (const other of others) expect(other).toEqual(first);
    return first as T;
  }

  #letGo(who: number, gone: readonly Holding[]): void {
    this.#held[who] = this.#seat(who).filter((holding) => !gone.includes(holding));
  }

  #seat(who: number): Holding[] {
    return this.#held[who] ?? [];
  }

  #claimsOf(name: string): number {
    return this.#claims.get(name) ?? 0;
  }

  #newName(): string {
    const name = `t${String(this.#names.length)}`;
    this.#names.push(name);
    return name;
  }

  #name(nth: number): string {
    return this.#names[nth % Math.max(this.#names.length, 1)] ?? "never published";
  }
}
