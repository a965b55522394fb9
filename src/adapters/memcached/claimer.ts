import type { Claimed, ClaimedAhead, ClaimRequest, Finding, Idle } from "../../ports/broker.ts";
import { MAX_BATCH } from "../../ports/broker.ts";
import { Avoidance } from "./avoidance.ts";
import { withStake } from "./control.ts";
import type { Control, Stake, SweepStake, TaskStake } from "./control.ts";
import { NAME_LETTERS } from "./control-store.ts";
import type { Seen } from "./control-store.ts";
import type { Fetcher } from "./fetch.ts";
import { Housekeeper } from "./housekeeper.ts";
import type { HousekeeperTools } from "./housekeeper.ts";
import { nextStep } from "./next-step.ts";
import type { NextStep } from "./next-step.ts";
import type { Pace } from "./pace.ts";
import type { Parts } from "./parts.ts";
import { Postponement } from "./postponement.ts";
import { decodeRecord } from "./record.ts";
import type { Scout } from "./scout.ts";
import { itemOf } from "./session.ts";
import { hasSuspects, suspectsTo } from "./sorting.ts";
import { listLimitBytes } from "./waiting-list.ts";
import type { WaitingList } from "./waiting-list.ts";

type Step<Kind extends NextStep["kind"]> = Extract<NextStep, { readonly kind: Kind }>;

// Each round is one step of the list: a cancelled stretch, a list that ends, a sweep, a write that was refused.
const MOST_ROUNDS = 10_000;

// So many rounds without a task mean a stretch of purged names: it is passed over ever faster, and what lives
// beyond the limit is kept for this owner's next claim.
const FEW_ROUNDS = 16;
const widening = (round: number): number => Math.max(0, round - FEW_ROUNDS) * 8;

// Stakes of what is in hand, ahead and just settled stand in the block at the same time: it should stay small.
const MOST_AHEAD = 64;

/** What claiming works with. */
export interface ClaimerTools extends HousekeeperTools {
  readonly fetcher: Fetcher;
  readonly waiting: WaitingList;
  readonly pace: Pace;
  /** Why there is nothing to claim. */
  readonly idle: (control: Control | undefined) => Promise<Idle>;
}

/** Takes tasks off the list: one compare-and-swap of the control block says what is whose. */
export class Claimer {
  readonly #parts: Parts;
  readonly #tools: ClaimerTools;
  readonly #housekeeper: Housekeeper;
  readonly #avoidance: Avoidance;
  #findings: Finding[] = [];
  readonly #postponement: Postponement;

  constructor(parts: Parts, tools: ClaimerTools) {
    this.#parts = parts;
    this.#tools = tools;
    this.#housekeeper = new Housekeeper(parts, tools);
    this.#avoidance = new Avoidance(() => parts.clock.upMs());
    this.#postponement = new Postponement(parts.clock);
  }

  async claim(request: ClaimRequest): Promise<Claimed> {
    const { holdings } = this.#tools;
    const avoidance = this.#avoidance;
    if (holdings.isAloneOut) return this.#held(1);
    await this.#parts.time.known();
    if (avoidance.hasToLetGo(holdings.isAnyOut) && (await this.#isAnyOrphan())) return this.#held(1);
    avoidance.begin();
    this.#postponement.begin();
    return this.#search({ ...request, limit: Math.max(1, Math.min(request.limit, MAX_BATCH)) });
  }

  async #search(request: ClaimRequest): Promise<Claimed> {
    const { limit } = request;
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const claimed = this.#pooled(limit);
      if (claimed !== undefined) return claimed;
      if (round > 0 && request.isEnough?.() === true) break;
      const idle = await this.#round({ ...request, limit: Math.min(limit + widening(round), MAX_BATCH) });
      if (idle === undefined) continue;
      if (this.#postponement.isEmpty) return this.#idle(idle);
      if (!(await this.#postponement.pause())) break;
    }
    return this.#held(1);
  }

  /** What this owner holds and has not handed out; undefined: nothing. */
  #pooled(limit: number): Claimed | undefined {
    const { holdings } = this.#tools;
    const claims = holdings.take(limit);
    if (claims.length > 0) return { claims, findings: this.#found() };
    return holdings.pooledCount > 0 ? this.#held(holdings.pooledCount) : undefined;
  }

  /**
   * What stands next in the list, and can be had with the block as it was just seen: everything else is for an owner
   * with empty hands.
   */
  async claimAhead({ limit: most, atOnce }: ClaimRequest): Promise<ClaimedAhead> {
    const limit = Math.max(1, Math.min(most, MAX_BATCH));
    const { holdings, scout } = this.#tools;
    const mustEmptyHands = holdings.pooledCount > 0 || holdings.isAloneOut;
    const scene = mustEmptyHands ? undefined : await scout.glance(limit);
    const step = scene && nextStep(scene);
    if (scene === undefined || step?.kind !== "take" || step.entries.length > MOST_AHEAD)
      return { claims: [], findings: [] };
    await this.#take(scene, step, atOnce);
    return { claims: holdings.take(limit), findings: this.#found() };
  }

  /** Whether what was passed over still waits for somebody with empty hands. */
  async #isAnyOrphan(): Promise<boolean> {
    const scene = await this.#tools.scout.look(1);
    if (scene?.control.stakes.some(scene.isOrphan) === true) return true;
    this.#avoidance.forget();
    return false;
  }

  #idle(idle: Idle): Claimed {
    this.#avoidance.end();
    const isRunByNobody = idle.kind === "empty" || idle.kind === "due";
    if (isRunByNobody && this.#avoidance.count > 0) return this.#held(this.#avoidance.count);
    return { claims: [], idle, findings: this.#found() };
  }

  #held(count: number): Claimed {
    return { claims: [], idle: { kind: "held", count }, findings: this.#found() };
  }

  #found(): readonly Finding[] {
    const findings = this.#findings;
    this.#findings = [];
    return findings;
  }

  async #round(request: ClaimRequest): Promise<Idle | undefined> {
    const { scout } = this.#tools;
    const scene = await scout.look(request.limit);
    if (scene === undefined) return { kind: "empty" };
    const isOrphan = (stake: Stake): boolean =>
      scene.isOrphan(stake) && !this.#avoidance.avoids(stake.id) && !this.#postponement.has(stake.id);
    return this.#do(scene, nextStep({ ...scene, isOrphan }), request);
  }

  #do(scene: Look, step: NextStep, request: ClaimRequest): Promise<Idle | undefined> {
    switch (step.kind) {
      case "paused":
        return this.#paused(scene, step);
      case "takeOver":
        return this.#takeOver(scene, step);
      case "resume":
        return this.#resume(scene, step);
      case "sweep":
        return this.#sweep(scene, step);
      case "take":
        return this.#take(scene, step, request.atOnce);
      case "shut":
        return this.#shut(scene);
      case "renew":
        return this.#renew(scene);
      case "idle":
        return this.#rest(scene);
    }
  }

  async #paused({ seen, base }: Look, { untilMs }: Step<"paused">): Promise<Idle> {
    await this.#write(seen, base);
    if (untilMs === Infinity) return { kind: "paused" };
    return { kind: "paused", untilMs: this.#parts.time.localMs(untilMs) };
  }

  /** Writes the block when it is another; undefined: refused, look again. Stakes that it drops are gone then. */
  async #write(seen: Seen, next: Control): Promise<Seen | undefined> {
    if (next === seen.control) return seen;
    const replaced = await this.#parts.control.replace(seen, next);
    if (replaced !== undefined) this.#tools.scout.wrote(replaced.control);
    return replaced;
  }

  async #takeOver(look: Look, { stake }: Step<"takeOver">): Promise<undefined> {
    const { seen, base, owner } = look;
    const orphan = stake.kind === "tasks" ? await this.#inspected(stake, base.epoch) : stake;
    if (orphan === undefined) {
      this.#avoidance.avoid(stake.id);
      return;
    }
    const mine: Stake = { ...orphan, owner, generation: stake.generation + 1 };
    const next = withStake(base, stake, [mine]);
    if (mine.kind === "tasks") return this.#open(seen, next, mine);
    if ((await this.#write(seen, next)) !== undefined) await this.#finish(mine, base.epoch);
  }

  async #finish(stake: Exclude<Stake, TaskStake>, epoch: string): Promise<void> {
    if (!(await this.#housekeeper.finish(stake, epoch))) this.#postponement.add(stake.id);
  }

  /**
   * A stake with what its dead owner may have started, which is found out while all is as it left it. Undefined:
   * there are suspects, which nobody takes who has something in hand.
   */
  async #inspected(stake: TaskStake, epoch: string): Promise<TaskStake | undefined> {
    const isOpen = stake.loose > 0 && stake.suspectsTo === undefined;
    const { isAnyOut } = this.#tools.holdings;
    if (!isOpen && !isAnyOut) return stake;
    const items = await this.#parts.session.getAll(this.#tools.fetcher.keys(stake, epoch));
    const records = items.map((item) => {
      const decoded = item && decodeRecord(item.value);
      return decoded?.kind === "record" ? decoded.record : undefined;
    });
    const to = isOpen ? suspectsTo(stake.loose, records, stake) : undefined;
    const known = to === undefined ? stake : { ...stake, suspectsTo: to };
    const isSuspicious = records.some((stored, at) => stored !== undefined && hasSuspects(stored, known, at));
    return isAnyOut && isSuspicious ? undefined : known;
  }

  async #resume({ seen, base, owner }: Look, { stake, mine, rest }: Step<"resume">): Promise<undefined> {
    const taken: TaskStake = { ...stake, id: this.#name(), owner, entries: mine, loose: 0 };
    const left: TaskStake = { ...stake, entries: rest };
    return this.#open(seen, withStake(base, stake, rest.length > 0 ? [taken, left] : [taken]), taken);
  }

  async #take(
    { seen, base, owner }: Look,
    { entries, end, isLast }: Step<"take">,
    atOnce: number,
  ): Promise<undefined> {
    const moved: Control = { ...base, offset: end, closing: base.closing || isLast };
    if (entries.length === 0) {
      await this.#write(seen, moved);
      return undefined;
    }
    const stake: TaskStake = {
      kind: "tasks",
      id: this.#name(),
      owner,
      generation: 0,
      entries,
      loose: this.#tools.pace.loose(atOnce),
    };
    return this.#open(seen, { ...moved, stakes: [...moved.stakes, stake] }, stake);
  }

  /**
   * Writes the block, then reads the records of the stake: in one round trip, unless it was just refused because others
   * write the block as well. Of two owners who claim as fast as they can one in ten is.
   */
  async #open(seen: Seen, next: Control, stake: TaskStake): Promise<undefined> {
    const { control, session } = this.#parts;
    const { fetcher, holdings, scout } = this.#tools;
    const keys = fetcher.keys(stake, next.epoch);
    const look = [...keys.map((key) => ({ kind: "get", key }) as const), control.look];
    const together = scout.isContended ? [] : look;
    const [answer, ...reads] = await session.ask([control.replacing(seen, next), ...together]);
    const replaced = await control.replaced(seen, next, answer);
    if (replaced === undefined) {
      scout.wasRefused();
      return;
    }
    scout.wrote(next);
    // Where the block was written in a second try, what was read with the first is older than that.
    const isRead = answer?.kind === "ok" && reads.length > 0 && reads.every(({ kind }) => kind !== "unknown");
    const read = isRead ? reads : (await session.surely(look)).map((sure) => sure.answer);
    const after = await control.take(read.at(-1));
    if (after?.control.epoch !== next.epoch) return;
    const { hold, findings } = await fetcher.open(stake, read.slice(0, -1).map(itemOf), after);
    holdings.add(hold);
    holdings.compare(after.control);
    this.#findings.push(...findings);
  }

  async #sweep({ seen, base, owner }: Look, { from, to }: Step<"sweep">): Promise<undefined> {
    const end = this.#tools.sweeper.end(from, to);
    const stake: SweepStake = { kind: "sweep", id: this.#name(), owner, generation: 0, from, to: end };
    const next = { ...base, sweptTo: end, stakes: [...base.stakes, stake] };
    if ((await this.#write(seen, next)) !== undefined) await this.#finish(stake, base.epoch);
  }

  async #shut({ seen, base }: Look): Promise<undefined> {
    await this.#write(seen, { ...base, closing: true });
  }

  async #renew({ seen, base }: Look): Promise<undefined> {
    const name = this.#name();
    await this.#parts.session.sure({ kind: "add", key: this.#parts.keys.list(base.epoch, name), value: "" });
    const lists = [{ name, tasks: 0 }];
    await this.#write(seen, { ...base, lists, offset: 0, closing: false, lost: base.lost + 1 });
  }

  /** Nothing to claim: what is over is dropped from the block, a long list that is used up gets a successor. */
  async #rest({ seen, base, head }: Look): Promise<Idle | undefined> {
    const written = await this.#write(seen, base);
    if (written === undefined || (await this.#housekeeper.retry())) return undefined;
    if ((head?.text.length ?? 0) > listLimitBytes(1, this.#parts.limits)) {
      await this.#tools.waiting.follow(written);
      return undefined;
    }
    return this.#tools.idle(written.control);
  }

  #name(): string {
    return this.#parts.random(NAME_LETTERS);
  }
}

type Look = NonNullable<Awaited<ReturnType<Scout["look"]>>>;
