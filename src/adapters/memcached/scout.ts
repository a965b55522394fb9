import { currentStake, isSameStake, struckOut, withStake } from "./control.ts";
import type { Control, Stake } from "./control.ts";
import type { Seen } from "./control-store.ts";
import type { Hold } from "./hold.ts";
import type { Holdings } from "./holdings.ts";
import { ListHead } from "./list-head.ts";
import type { Scene } from "./next-step.ts";
import { heartbeatOf, heartbeatsOf } from "./owner.ts";
import type { Heartbeat, Owner } from "./owner.ts";
import type { Parts } from "./parts.ts";
import { itemOf } from "./session.ts";
import type { Known } from "./session.ts";
import type { Sweeper } from "./sweeper.ts";

/** A scene, and what it was made of. */
interface LookedAt extends Scene {
  readonly seen: Seen;
  /** The block without what is over: where every step starts from. */
  readonly base: Control;
  readonly owner: string;
}

/** The block, and who of those it names is alive. */
interface Looked {
  readonly seen: Seen;
  readonly owner: string;
  readonly beats: ReadonlyMap<string, Heartbeat>;
}

/** What came with a look at the block. */
interface Asked {
  readonly block: Known | undefined;
  readonly heard: ReadonlyMap<string, Heartbeat>;
  /** To be called where the block still has the list that was read in its first place. */
  readonly list: (() => void) | undefined;
}

// Between two looks at the heartbeats of others.
const GLANCE_MS = 500;

/** A stake that is over, in which epoch, and how many tasks turned out to be lost: the write that drops it counts them. */
interface Over {
  readonly stake: Stake;
  readonly epoch: string;
  readonly lost: number;
}

/** Brings a claimer everything it needs for its next step, in as few round trips as can be. */
export class Scout {
  readonly #parts: Parts;
  readonly #owner: Owner;
  readonly #holdings: Holdings;
  readonly #sweeper: Sweeper;
  readonly #head: ListHead;
  /** Nobody else seems to write the block. */
  #isAlone = false;
  #isContended = false;
  #lookedAt = -Infinity;
  #beats: ReadonlyMap<string, Heartbeat> = new Map();
  /** Sweeps and the like that are done and still stand in the block. */
  #over: readonly Over[] = [];

  constructor(
    parts: Parts,
    tools: { readonly owner: Owner; readonly holdings: Holdings; readonly sweeper: Sweeper },
  ) {
    this.#parts = parts;
    this.#owner = tools.owner;
    this.#holdings = tools.holdings;
    this.#sweeper = tools.sweeper;
    this.#head = new ListHead(parts);
  }

  /** The scene as it is now; undefined: the queue was never begun, or was lost. */
  async look(limit: number): Promise<LookedAt | undefined> {
    const looked = this.#glance() ?? (await this.#lookAtBlock());
    return looked && this.#scene(looked, limit);
  }

  /** The scene as it was just seen, when nobody else seems to change it: with no question asked, as a rule. */
  async glance(limit: number): Promise<LookedAt | undefined> {
    const looked = this.#glance();
    return looked && this.#scene(looked, limit);
  }

  async #scene({ seen, owner, beats }: Looked, limit: number): Promise<LookedAt> {
    const { time, clock } = this.#parts;
    const now = time.now();
    const isOrphan = (stake: Stake): boolean => this.#isOrphan(stake, owner, beats);
    const { control, head } = await this.#head.find(seen.control);
    const mayBeIdle = head === undefined || head.text.length <= control.offset;
    const isSweepDue = await this.#sweeper.isDue(control, now, mayBeIdle);
    const base = this.#withoutOver(control);
    return {
      control,
      seen,
      base,
      owner,
      head,
      isOrphan,
      isSweepDue,
      now,
      nowMs: time.serverMs(clock.now()),
      limit,
    };
  }

  /** Whether the next write of the block may well be refused, as the last one was. */
  get isContended(): boolean {
    return this.#isContended;
  }

  /** A write of the block was refused: others are at it too. */
  wasRefused(): void {
    this.#isAlone = false;
    this.#isContended = true;
  }

  /** Drops from the block what is over, when there is such. */
  async flush(): Promise<void> {
    if (this.#over.length === 0 && !this.#holdings.holds.some((hold) => hold.isOver || hold.struck.size > 0))
      return;
    const written = await this.#parts.control.change((control) => {
      const next = this.#withoutOver(control);
      return next === control ? undefined : next;
    });
    this.wrote(written?.control);
  }

  /** A stake whose work is done: the next write drops it. */
  over(over: Over): void {
    this.#over = [...this.#over, over];
  }

  /** The block as it stands now: what it does not name any more needs no dropping. */
  wrote(control: Control | undefined): void {
    this.#isContended = false;
    const stands = ({ stake, epoch }: Over): boolean =>
      control?.epoch === epoch && control.stakes.some((one) => isSameStake(one, stake));
    this.#over = this.#over.filter(stands);
    for (const hold of [...this.#holdings.holds]) {
      if (hold.isOver && (control === undefined || !hold.stands(control))) this.#holdings.remove(hold);
    }
  }

  /**
   * The block as it was seen last, when it was just seen and nobody else seems to change it: a write against it
   * is refused if somebody did.
   */
  #glance(): Looked | undefined {
    const seen = this.#parts.control.latest;
    const owner = this.#owner.name;
    if (seen === undefined || owner === undefined || !this.#isAlone || !this.#owner.isFresh) return undefined;
    const age = this.#parts.clock.now() - seen.at;
    const isRecent = age >= 0 && age < GLANCE_MS && this.#parts.clock.upMs() - this.#lookedAt < GLANCE_MS;
    return isRecent && this.#head.hasMore(seen.control) ? { seen, owner, beats: this.#beats } : undefined;
  }

  /** A heartbeat, the block, and the heartbeats of those it names. */
  async #lookAtBlock(): Promise<Looked | undefined> {
    const { control } = this.#parts;
    const before = control.latest;
    const name = this.#owner.name ?? (await this.#owner.beat());
    const { block, heard, list } = await this.#askFor(before?.control, name);
    const seen = await control.take(block);
    this.#holdings.compare(seen?.control);
    this.#dropLost();
    if (seen === undefined) return undefined;
    if (isFirst(seen.control, before?.control)) list?.();
    this.#isAlone = before?.cas === seen.cas;
    const owner = this.#owner.name ?? name;
    await this.#hear(ownersIn(seen.control, owner), heard);
    return { seen, owner, beats: this.#beats };
  }

  /** The block, and in the same round trip what it will most likely ask for: it is seldom another than before. */
  async #askFor(before: Control | undefined, name: string): Promise<Asked> {
    const { session, control, keys } = this.#parts;
    const known = ownersIn(before, name);
    const began = this.#owner.moment();
    const gets = known.map((owner) => ({ kind: "get", key: keys.owner(owner) }) as const);
    const list = this.#head.reading(before);
    const lists = list === undefined ? [] : [list.operation];
    const looking = session.surely([this.#owner.beating(name), control.look, ...gets, ...lists]);
    const [[beat, block, ...reads]] = await Promise.all([looking, this.#expectSweep(before)]);
    if (beat === undefined || !this.#owner.heard(beat.answer, began)) {
      this.#holdings.lapse();
      await this.#owner.beat();
    }
    const heard = known.map((one, index) => [one, heartbeatOf(itemOf(reads[index]?.answer))] as const);
    return {
      block: block?.answer,
      heard: new Map(heard),
      list:
        list &&
        (() => {
          this.#head.heard(list, reads[known.length]?.answer);
        }),
    };
  }

  /** Whether a sweep is due is known by the time it is asked for. */
  async #expectSweep(before: Control | undefined): Promise<void> {
    if (before !== undefined) await this.#sweeper.isDue(before, this.#parts.time.now(), false);
  }

  /** Knows the heartbeats of all owners in the block, asking for those that were not expected there. */
  async #hear(owners: readonly string[], heard: ReadonlyMap<string, Heartbeat>): Promise<void> {
    const unheard = owners.filter((owner) => !heard.has(owner));
    const more = unheard.length === 0 ? [] : await heartbeatsOf(this.#parts, unheard);
    this.#beats = new Map([...heard, ...more]);
    this.#lookedAt = this.#parts.clock.upMs();
  }

  /** Tasks of a lost hold that still run are known by nothing but their claim, which is refused then. */
  #dropLost(): void {
    for (const hold of [...this.#holdings.holds]) {
      if (hold.isLost && hold.outCount === 0) this.#holdings.remove(hold);
    }
  }

  #isOrphan(stake: Stake, owner: string, beats: ReadonlyMap<string, Heartbeat>): boolean {
    if (stake.owner === "") return true;
    if (stake.owner === owner) return !this.#isKnown(stake);
    // Not from ourselves while a task of it still runs: the lease ended, the handler did not.
    if (this.#holdings.holds.some((hold) => hold.startedCount > 0 && isSameStake(hold.stake, stake)))
      return false;
    return beats.get(stake.owner)?.alive === false;
  }

  #isKnown(stake: Stake): boolean {
    return (
      this.#over.some((over) => isSameStake(over.stake, stake)) ||
      this.#holdings.holds.some((hold) => isSameStake(hold.stake, stake))
    );
  }

  #withoutOver(control: Control): Control {
    return this.#holdings.holds.reduce(withoutStruck, this.#withoutStakes(control));
  }

  #withoutStakes(control: Control): Control {
    const over: readonly Over[] = [
      ...this.#over,
      ...this.#holdings.holds.filter((hold) => hold.isOver && !hold.isLost).map(overOf),
    ];
    return over.reduce(
      (block, { stake, epoch, lost }) =>
        block.epoch === epoch && block.stakes.some((one) => isSameStake(one, stake))
          ? { ...withStake(block, stake, []), lost: block.lost + lost }
          : block,
      control,
    );
  }
}

function withoutStruck(control: Control, hold: Hold): Control {
  if (hold.struck.size === 0 || !hold.stands(control)) return control;
  const stake = currentStake(control, hold.stake);
  const next = stake && struckOut(stake, hold.struck);
  return next === undefined || next === stake ? control : withStake(control, hold.stake, [next]);
}

const overOf = ({ stake, epoch }: Hold): Over => ({ stake, epoch, lost: 0 });

/** Whether the same list is the first one in both blocks. */
const isFirst = (control: Control, before: Control | undefined): boolean =>
  control.epoch === before?.epoch && control.lists[0]?.name === before.lists[0]?.name;

/** The owners of stakes in a block, without `me`. */
function ownersIn(control: Control | undefined, me: string | undefined): readonly string[] {
  const owners = new Set(control?.stakes.map((stake) => stake.owner));
  owners.delete("");
  owners.delete(me ?? "");
  return [...owners];
}
