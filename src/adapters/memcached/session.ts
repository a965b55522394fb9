import { MemqError } from "../../errors.ts";
import { LEASE_MS } from "../../ports/broker.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Answer, Operation, Wire } from "./wire.ts";

/** An answer that says what happened. */
export type Known = Exclude<Answer, { readonly kind: "unknown" }>;

/** A known answer, and whether the operation may have been done twice. */
export interface Sure {
  readonly answer: Known;
  readonly repeated: boolean;
}

// A server that restarts, or a host that swaps, is back within this; a caller must not hang for longer.
const PATIENT: Limits = {
  ms: 10_000,
  leastTries: 3, // for a process that stood still itself
};
// What was run and is not written down is run again: that is worth waiting for as long as a lease lasts.
const WITH_TASKS: Limits = { ms: LEASE_MS, leastTries: 3 };
// One that never answered is rather switched off than restarting; a script or a mail waits for the sentence.
const AT_FIRST: Limits = { ms: 1_000, leastTries: 0 };
const MOST_TRIES = 100; // for a clock that stands still
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 500;

interface Limits {
  readonly ms: number;
  readonly leastTries: number;
}

/** How long one piece of work goes on trying. Ask it before each further try. */
export class Patience {
  readonly #clock: Clock;
  readonly #giveUp: () => MemqError;
  readonly #endsAt: number;
  readonly #leastTries: number;
  #tries = 0;

  constructor(clock: Clock, { ms, leastTries }: Limits, giveUp: () => MemqError) {
    this.#clock = clock;
    this.#giveUp = giveUp;
    this.#endsAt = clock.upMs() + ms;
    this.#leastTries = leastTries;
  }

  /** Waits a little longer each time; the first time not at all. @throws what `giveUp` makes when it is used up. */
  async again(): Promise<void> {
    const tries = this.#tries++;
    const isLate = tries >= this.#leastTries && this.#clock.upMs() >= this.#endsAt;
    if (tries >= MOST_TRIES || isLate) throw this.#giveUp();
    if (tries === 0) return;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS);
    await this.#clock.until(this.#clock.now() + pauseMs);
  }
}

/** The wire, with patience: a server that is away for a moment is tried again. */
export class Session {
  readonly wire: Wire;
  readonly #clock: Clock;
  #met = false;
  #hasTasks = false;

  constructor(wire: Wire, clock: Clock) {
    this.wire = wire;
    this.#clock = clock;
  }

  /** From now on this process holds tasks: it waits for the server as long as it may hold them. */
  tasksAreHeld(): void {
    this.#hasTasks = true;
  }

  /** Patience for a piece of work that ends with BROKER_UNREACHABLE. */
  patience(): Patience {
    const patient = this.#hasTasks ? WITH_TASKS : PATIENT;
    return new Patience(this.#clock, this.#met ? patient : AT_FIRST, () => {
      // Whoever gives up has more to do before it ends, and none of that is worth waiting for all over again.
      this.#met = false;
      return this.#unanswered();
    });
  }

  /** One round trip, repeated only while nothing at all could be sent. Answers may be unknown. */
  async ask(operations: readonly Operation[]): Promise<readonly Answer[]> {
    if (operations.length === 0) return [];
    const patience = this.patience();
    for (;;) {
      try {
        const answers = await this.wire.batch(operations);
        this.#met ||= answers.some(({ kind }) => kind !== "unknown");
        return answers;
      } catch (error) {
        if (!isAway(error)) throw error;
        await orSay(error, patience.again());
      }
    }
  }

  /** Repeats what was not answered until it is: only for operations that are harmless twice. */
  async surely(operations: readonly Operation[]): Promise<readonly Sure[]> {
    const patience = this.patience();
    const sure: (Sure | undefined)[] = operations.map(() => undefined);
    for (let open = operations.map((_, index) => index), repeated = false; open.length > 0; repeated = true) {
      if (repeated) await patience.again();
      const answers = await this.ask(open.flatMap((index) => operations[index] ?? []));
      open = open.filter((index, at) => {
        const answer = answers[at] ?? { kind: "unknown" };
        if (answer.kind !== "unknown") sure[index] = { answer, repeated };
        return answer.kind === "unknown";
      });
    }
    return sure.flatMap((one) => one ?? []);
  }

  /** `surely` for one operation. */
  async sure(operation: Operation): Promise<Sure> {
    const [sure] = await this.surely([operation]);
    if (sure === undefined) throw this.#unanswered();
    return sure;
  }

  /** The value and version of an item; undefined when there is none. */
  async get(key: string): Promise<Item | undefined> {
    return itemOf((await this.sure({ kind: "get", key })).answer);
  }

  /** The items of several keys, in their order. */
  async getAll(keys: readonly string[]): Promise<readonly (Item | undefined)[]> {
    const sure = await this.surely(keys.map((key) => ({ kind: "get", key })));
    return sure.map(({ answer }) => itemOf(answer));
  }

  /** The server's general statistics. */
  async stats(): Promise<ReadonlyMap<string, string>> {
    const patience = this.patience();
    for (;;) {
      try {
        return await this.wire.stats("");
      } catch (error) {
        if (!isAway(error)) throw error;
        await orSay(error, patience.again());
      }
    }
  }

  #unanswered(): MemqError {
    const { loss, server } = this.wire;
    return loss ?? new MemqError("BROKER_UNREACHABLE", `memcached at ${server} did not answer`);
  }
}

export interface Item {
  readonly value: Buffer;
  readonly cas: bigint;
}

const NOTHING = Buffer.alloc(0);

/** What a get brought; undefined when it is missing. */
export const itemOf = (answer: Answer | undefined): Item | undefined =>
  answer?.kind === "ok" ? { value: answer.value ?? NOTHING, cas: answer.cas } : undefined;

/** Another try, or `error` when patience is used up: it says what happened better than "no answer" does. */
const orSay = (error: unknown, again: Promise<void>): Promise<void> =>
  again.catch(() => {
    throw error;
  });

const isAway = (error: unknown): boolean => error instanceof MemqError && error.code === "BROKER_UNREACHABLE";
