import type { Broker, Claim, ClaimedAhead, Idle } from "../ports/broker.ts";
import type { Clock } from "../ports/clock.ts";
import type { Listener } from "../telemetry/events.ts";
import type { Budget, LimitReached } from "./budget.ts";
import { ClaimSize } from "./claim-size.ts";
import { Rest } from "./rest.ts";

/** What a supply works with. */
export interface SupplyParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly tell: Listener;
  readonly concurrency: number;
  readonly budget: Budget;
  readonly stop: AbortSignal;
  /** Resolves when those who are told what ended can take more; undefined: at once. */
  readonly roomForMore?: () => Promise<void> | undefined;
  /** Settles what is recorded: a claim never holds what has ended. */
  readonly flush: () => Promise<void>;
}

/** What is asked of a server is on its way only when the handlers let the process come to it. */
const sent = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

// While other lanes still work, an idle one looks again at least this often; a publish wakes it earlier.
const LOOK_AGAIN_MS = 1_000;

/**
 * The claims of a run: claimed ahead of the lanes that run them, and handed back when they will not be.
 * Lanes work in rounds; what has to run alone begins when all other lanes have ended.
 */
export class Supply {
  readonly #parts: SupplyParts;
  readonly #size: ClaimSize;
  #held: Claim[] = [];
  #running = 0;
  /** What has to run alone runs, or ran: the round ends with it. */
  #isAlone = false;
  #isClosed = false;
  #idle: Idle | undefined;
  #claiming: Promise<void> | undefined;
  /** What is being claimed is for when the hands are empty. */
  #isAhead = false;
  /** Of a claim, told to whoever asks for the next one: it may be over before anybody does. */
  #failure: { readonly error: unknown } | undefined;
  readonly #rest: Rest;

  constructor(parts: SupplyParts) {
    this.#parts = parts;
    this.#rest = new Rest(parts);
    this.#size = new ClaimSize(parts.concurrency);
  }

  /** Begins a round; answers why there is none when nothing can be claimed or a limit is reached. */
  async open(): Promise<Idle["kind"] | LimitReached | undefined> {
    await this.#claiming; // ahead, in a round that was closed
    this.#isClosed = false;
    this.#isAlone = false;
    this.#idle = undefined;
    if (this.#held.length === 0 && this.#reached() === undefined) await this.#claim();
    if (this.#held.length > 0) return undefined;
    return this.#reached() ?? this.#idleKind();
  }

  /** What a task took lately, in ms; 0 before the first. */
  get meanMs(): number {
    return this.#size.meanMs;
  }

  /** No claim is taken any more in this round. */
  close(): void {
    this.#isClosed = true;
    this.wake();
  }

  /** An idle lane that waits looks up at once. */
  wake(): void {
    this.#rest.wake();
  }

  /** Between two rounds: resolves when there may be something to claim, after `mostMs`, or when it is woken. */
  async wait(mostMs: number): Promise<void> {
    if (this.#reached() === undefined) await this.#rest.take(mostMs);
  }

  /** A claim to run now; undefined when `next` has to be asked. */
  take(): Claim | undefined {
    const claim = this.#held[0];
    if (claim === undefined || this.#mustWait(claim) || this.#isOver()) return undefined;
    this.#held.shift();
    this.#running++;
    this.#isAlone = claim.alone;
    this.#parts.budget.taskStarted();
    return claim;
  }

  /** The next claim to run, waited for while other lanes work; undefined when the round is over for this lane. */
  async next(): Promise<Claim | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#isOver()) return this.handBack();
      const claim = this.take();
      if (claim !== undefined || this.#isRoundDone()) return claim;
      await (this.#claiming ?? this.#begin(this.#claimMore()));
      if (this.#canClaimAhead()) {
        void this.#begin(this.#claimAhead());
        await sent();
      }
    }
  }

  /** To be called once for every claim taken, with the ms it took. */
  ended(ms: number): Promise<void> | undefined {
    this.#running--;
    this.#size.taskEnded(ms);
    if (this.#running === 0) this.wake();
    const most = this.#size.mostWaiting;
    return this.#held.length > most ? this.#release(this.#held.splice(most)) : undefined;
  }

  /** Hands back what was claimed and not taken. */
  async handBack(): Promise<undefined> {
    await this.#release(this.#held.splice(0));
    if (!this.#isAhead) return;
    await this.#claiming;
    await this.#release(this.#held.splice(0));
  }

  /** Lanes that wait for claims share them. */
  #begin(claiming: Promise<void>): Promise<void> {
    const begun = claiming.finally(() => {
      this.#claiming = undefined;
      this.#isAhead = false;
    });
    this.#claiming = begun;
    begun.catch((error: unknown) => (this.#failure = { error }));
    return begun;
  }

  /** Fast tasks would be waited for longer than they take: the next ones are fetched while those in hand run. */
  #canClaimAhead(): boolean {
    const waiting = this.#held.length;
    const isPossible = this.#parts.broker.claimAhead !== undefined && this.#claiming === undefined;
    return isPossible && waiting > 0 && this.#size.hasRoomAhead(waiting) && !this.#isAlone && !this.#isOver();
  }

  async #claimAhead(): Promise<void> {
    this.#isAhead = true;
    const { broker, concurrency, budget } = this.#parts;
    const room = this.#parts.roomForMore?.();
    if (room !== undefined) await room;
    const limit = Math.min(this.#size.next(1), budget.tasksLeft - this.#held.length);
    if (limit <= 0) return;
    const claimed = await broker.claimAhead?.({ limit, atOnce: concurrency });
    if (claimed !== undefined) this.#add(claimed);
  }

  async #release(claims: readonly Claim[]): Promise<void> {
    if (claims.length > 0) await this.#parts.broker.release(claims);
  }

  #mustWait(claim: Claim): boolean {
    return this.#isAlone || (claim.alone && this.#running > 0);
  }

  /** What is held waits for this round's end, or nothing is held and nobody works who could bring more. */
  #isRoundDone(): boolean {
    return this.#held.length > 0 || this.#isAlone || (this.#idle !== undefined && this.#running === 0);
  }

  #idleKind(): Idle["kind"] {
    return this.#idle?.kind ?? "empty";
  }

  #isOver(): boolean {
    return this.#isClosed || this.#reached() !== undefined;
  }

  readonly #isEnough = (): boolean => this.#isOver();

  #reached(): LimitReached | undefined {
    const { budget, stop } = this.#parts;
    if (stop.aborted) budget.stop();
    return budget.reached(this.#size.meanMs);
  }

  async #claimMore(): Promise<void> {
    // Other lanes still work: what is published or falls due meanwhile need not wait for them.
    if (this.#idle !== undefined) await this.#rest.take(LOOK_AGAIN_MS);
    if (!this.#isOver()) await this.#claim();
  }

  async #claim(): Promise<void> {
    const { broker, concurrency, budget, flush } = this.#parts;
    await flush();
    const room = this.#parts.roomForMore?.();
    if (room !== undefined) await room;
    const limit = Math.min(this.#size.next(concurrency - this.#running), budget.tasksLeft);
    if (limit <= 0) return;
    const { claims, idle, findings } = await broker.claim({
      limit,
      atOnce: concurrency,
      isEnough: this.#isEnough,
    });
    this.#add({ claims, findings });
    if (claims.length > 0) this.#rest.wasWorthIt();
    this.#idle = claims.length > 0 ? undefined : (idle ?? { kind: "empty" });
  }
  #add({ claims, findings }: ClaimedAhead): void {
    const { broker, tell } = this.#parts;
    for (const finding of findings) tell({ kind: "finding", queue: broker.queue, finding });
    this.#held.push(...claims);
  }
}
