import { openMemcachedBroker } from "../../src/adapters/memcached/broker.ts";
import type { Answer, Operation, Wire } from "../../src/adapters/memcached/wire.ts";
import type { Broker } from "../../src/ports/broker.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { plainCodec } from "../../src/task/codec.ts";
import { FakeMemcached } from "../servers/fake-memcached.ts";

/** Numbers that look random and come again with the same seed. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761) >>> 0 || 1;
  }

  /** A whole number below `sides`. */
  roll(sides: number): number {
    this.#state ^= this.#state << 13;
    this.#state >>>= 0;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    this.#state >>>= 0;
    return this.#state % sides;
  }

  chance(percent: number): boolean {
    return this.roll(100) < percent;
  }

  pick<T>(from: readonly T[]): T {
    const one = from[this.roll(from.length)];
    if (one === undefined) throw new Error("nothing to pick from");
    return one;
  }
}

interface Batch {
  readonly operations: readonly Operation[];
  readonly answers: Answer[];
  readonly resolve: (answers: readonly Answer[]) => void;
}

/** How many of each fault may still come. */
export interface Faults {
  crashes: number;
  lapses: number;
  unknowns: number;
  flushes: number;
  /** Of the control block. */
  evictions: number;
  /** Times at which the server's memory is full, or has room again. */
  fulls: number;
}

/** How many tasks share a record, and how long lists and buckets get. */
interface Sizes {
  readonly bundle: number;
  readonly listBytes: number;
  readonly bucketBytes: number;
}

/** One process: a broker whose every operation waits for the world to let it happen. */
export class Party {
  readonly name: string;
  readonly broker: Broker;
  readonly #world: World;
  batch: Batch | undefined;
  readonly sleepers: (() => void)[] = [];
  readonly beats = new Set<string>();
  isDead = false;
  isDone = false;

  constructor(world: World, name: string, { bundle, listBytes, bucketBytes }: Sizes) {
    this.name = name;
    this.#world = world;
    this.broker = openMemcachedBroker({
      wire: this.#wire(),
      queue: "q",
      codec: plainCodec(10_000),
      memory: "/nowhere",
      clock: this.#clock(),
      elapsedMs: () => world.elapsedMs(),
      random: world.random,
      bundle,
      limits: { listBytes, bucketBytes, markedStarts: 2 },
      // Nobody knows that process here, so only the lease tells whether it lives.
      holder: { host: "elsewhere", realm: "", pid: 1, startedAt: name },
    });
  }

  get canAct(): boolean {
    return !this.isDead && (this.batch !== undefined || this.sleepers.length > 0);
  }

  /** Nothing of it happens any more. */
  die(): void {
    this.isDead = true;
    this.batch = undefined;
  }

  #wire(): Wire {
    return {
      server: "fake:11211",
      batch: (operations) =>
        new Promise((resolve) => {
          if (this.isDead) return;
          if (this.batch !== undefined) this.#world.queued(this, { operations, answers: [], resolve });
          else this.batch = { operations, answers: [], resolve };
        }),
      stats: () => Promise.resolve(this.#world.server.stats()),
      close: () => undefined,
    };
  }

  #clock(): Clock {
    return {
      now: () => this.#world.now,
      upMs: () => this.#world.now,
      until: () => new Promise((resolve) => this.sleepers.push(resolve)),
    };
  }
}

/** A server, the processes that use it, time and misfortune; whatever happens, happens one operation at a time. */
export class World {
  readonly server: FakeMemcached;
  readonly dice: Dice;
  readonly parties: Party[] = [];
  readonly faults: Faults;
  readonly trace: string[] = [];
  now = Date.UTC(2026, 0, 1);
  /** How many misfortunes there were. */
  misfortunes = 0;
  unknowns = 0;
  /** How often its memory was full. */
  fulls = 0;
  /** How often its memory got full or got room again. */
  fullTurns = 0;
  /** Leases that ended while their owner lived. */
  lapses = 0;
  crashes = 0;
  flushes = 0;
  readonly #late: Operation[] = [];
  readonly #queued = new Map<Party, Batch[]>();
  #names = 0;
  #elapsed = 0;
  readonly #msPerLook: number;
  readonly isTraced: boolean;
  readonly #mischief: number;
  /** Told before an operation is done. */
  watch: (party: Party, operation: Operation) => void = () => undefined;

  constructor(
    seed: number,
    options: {
      readonly faults: Faults;
      readonly msPerLook: number;
      readonly mischief: number;
      readonly isTraced?: boolean;
    },
  ) {
    this.dice = new Dice(seed);
    this.faults = { ...options.faults };
    this.server = new FakeMemcached(() => this.now);
    this.#msPerLook = options.msPerLook;
    this.isTraced = options.isTraced ?? false;
    this.#mischief = options.mischief;
  }

  /** Every look at this clock takes so long: tasks look fast or slow. */
  elapsedMs(): number {
    return (this.#elapsed += this.#msPerLook);
  }

  readonly random = (letters: number): string => {
    if (letters === 1) return this.dice.pick(["0", "A", "Z", "z"]);
    return (this.#names++).toString(36).padStart(letters, "0");
  };

  join(name: string, limits: Sizes = { bundle: 1, listBytes: 2_048, bucketBytes: 16_384 }): Party {
    const party = new Party(this, name, limits);
    this.parties.push(party);
    return party;
  }

  /** A process has more than one question under way. */
  queued(party: Party, batch: Batch): void {
    this.#queued.set(party, [...(this.#queued.get(party) ?? []), batch]);
  }

  /** One thing happens; false: there is nothing that can. */
  async step(): Promise<boolean> {
    await settled();
    const able = this.parties.filter((party) => party.canAct);
    if (this.#late.length > 0 && this.dice.chance(able.length === 0 ? 100 : 5)) this.#landLate();
    else if (able.length === 0) return false;
    else this.#act(able);
    return true;
  }

  #last: Party | undefined;

  #act(able: readonly Party[]): void {
    // Whoever acts often goes on for a while: other orders are tried as well, but not only the finest mixtures.
    const party = this.#last?.canAct === true && this.dice.chance(65) ? this.#last : this.dice.pick(able);
    this.#last = party;
    if (this.dice.chance(this.#mischief) && this.#misfortune(party)) return;
    if (party.batch === undefined) {
      party.sleepers.shift()?.();
      return;
    }
    this.#operate(party, party.batch);
  }

  #operate(party: Party, batch: Batch): void {
    const operation = batch.operations[batch.answers.length];
    if (operation === undefined) throw new Error("a batch was not answered in time");
    this.watch(party, operation);
    const answer = this.server.do(operation);
    if (operation.kind === "add" && operation.ttlSeconds !== undefined) party.beats.add(operation.key);
    this.tell(`${party.name} ${shown(operation)} -> ${answer.kind}`);
    batch.answers.push(answer);
    if (batch.answers.length === batch.operations.length) this.#answer(party, batch);
  }

  #answer(party: Party, batch: Batch): void {
    const [next, ...rest] = this.#queued.get(party) ?? [];
    this.#queued.set(party, rest);
    party.batch = next;
    batch.resolve(batch.answers);
  }

  #misfortune(party: Party): boolean {
    const kinds = (Object.keys(this.faults) as (keyof Faults)[]).filter((kind) => this.faults[kind] > 0);
    if (kinds.length === 0) return false;
    const kind = this.dice.pick(kinds);
    if (kind === "unknowns" && party.batch === undefined) return false;
    if (kind === "lapses" && party.beats.size === 0) return false;
    this.faults[kind] -= 1;
    this.misfortunes += 1;
    switch (kind) {
      case "crashes":
        this.crash(party);
        break;
      case "lapses":
        this.lapses += 1;
        this.tell(`${party.name} lapses`);
        for (const beat of party.beats) this.server.evict(beat);
        break;
      case "unknowns":
        this.#cut(party, party.batch);
        break;
      case "evictions":
        this.tell("the control block is evicted");
        this.flushes += 1;
        this.server.evict("mq:q:C");
        break;
      case "fulls":
        this.server.limitBytes = this.server.limitBytes === Infinity ? this.server.bytes : Infinity;
        this.fullTurns += 1;
        if (this.server.limitBytes !== Infinity) this.fulls += 1;
        this.tell(this.server.limitBytes === Infinity ? "there is room" : "memory is full");
        break;
      case "flushes":
        this.tell("flush");
        this.flushes += 1;
        this.server.flush();
        break;
    }
    return true;
  }

  /** The process dies; what it had sent may still arrive. */
  crash(party: Party): void {
    this.tell(`${party.name} dies`);
    const { batch } = party;
    this.crashes += 1;
    party.die();
    if (batch !== undefined && this.dice.chance(50))
      this.#late.push(...batch.operations.slice(batch.answers.length));
    for (const beat of party.beats) this.server.evict(beat);
  }

  /** No answers from here on; the rest is done, is not done, or is done later. */
  #cut(party: Party, batch: Batch | undefined): void {
    if (batch === undefined) return;
    this.unknowns += 1;
    const rest = batch.operations.slice(batch.answers.length);
    const fate = this.dice.pick(["done", "lost", "late"] as const);
    this.tell(`${party.name} is not answered: ${rest.map(shown).join("; ")} (${fate})`);
    if (fate === "done") for (const operation of rest) this.server.do(operation);
    if (fate === "late") this.#late.push(...rest);
    while (batch.answers.length < batch.operations.length) batch.answers.push({ kind: "unknown" });
    this.#answer(party, batch);
  }

  #landLate(): void {
    const operation = this.#late.splice(this.dice.roll(this.#late.length), 1)[0];
    if (operation === undefined) return;
    const answer = this.server.do(operation);
    this.tell(`late: ${shown(operation)} -> ${answer.kind}`);
  }

  get lateCount(): number {
    return this.#late.length;
  }

  tick(seconds: number): void {
    this.now += seconds * 1_000;
    this.tell(`${String(seconds)} s pass`);
  }

  tell(line: string): void {
    if (this.isTraced) this.trace.push(line);
  }
}

// Longer than any chain of promises between two operations.
const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

function shown(operation: Operation): string {
  const { key, value, cas } = { value: "", cas: undefined, ...operation };
  const text = value
    .toString()
    .trimEnd()
    .slice(0, 300)
    .replace(/^-{9,}/, "---");
  return [operation.kind, key.replace("mq:q:", ""), cas === undefined ? "" : `@${String(cas)}`, text].join(
    " ",
  );
}
