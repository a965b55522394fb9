import { currentStake, isSameStake, struckOut, withStake } from "./control.ts";
import type { Control, Stake } from "./control.ts";
import type { Seen } from "./control-store.ts";
import type { Hold } from "./hold.ts";
import type { Holdings } from "./holdings.ts";
import type { Head, Scene } from "./next-step.ts";
import { heartbeatOf, heartbeatsOf } from "./owner.ts";
import type { Heartbeat, Owner } from "./owner.ts";
import type { Parts } from "./parts.ts";
import { itemOf } from "./session.ts";
import type { Sweeper } from "./sweeper.ts";

/** A scene, and what it was made of. */
interface LookedAt extends Scene {
  readonly seen: Seen;
  /** The block without what is over: where every step starts from. */
  readonly base: Control;
  readonly owner: string;
}

/** A stake that is over, and in which epoch. */
interface Over {
  readonly stake: Stake;
  readonly epoch: string;
}

/** Brings a claimer everything it needs for its next step, in as few round trips as can be. */
export class Scout {
  readonly #parts: Parts;
  readonly #owner: Owner;
  readonly #holdings: Holdings;
  readonly #sweeper: Sweeper;
  /** The first list as it was read last. */
  #head: { readonly name: string; readonly text: string } | undefined;
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
  }

  /** The scene as it is now; undefined: the queue was never begun, or was lost. */
  async look(limit: number): Promise<LookedAt | undefined> {
    const looked = await this.#lookAtBlock();
    if (looked === undefined) return undefined;
    const { seen, owner, beats } = looked;
    const { control } = seen;
    const { time } = this.#parts;
    const now = time.now();
    const isOrphan = (stake: Stake): boolean => this.#isOrphan(stake, owner, beats);
    const head = await this.#readHead(control);
    const mayBeIdle = head === undefined || head.text.length <= control.offset;
    const isSweepDue = await this.#sweeper.isDue(control, now, mayBeIdle);
    const nowMs = time.serverMs(this.#parts.clock.now());
    const base = this.#withoutOver(control);
    return { control, seen, base, owner, head, isOrphan, isSweepDue, now, nowMs, limit };
  }

  /** Drops from the block what is over, when there is such. */
  async flush(): Promise<void> {
    if (this.#over.length === 0 && !this.#holdings.holds.some((hold) => hold.isOver || hold.struck.size > 0)) return;
    const written = await this.#parts.control.change((control) => {
      const next = this.#withoutOver(control);
      return next === control ? undefined : next;
    });
    this.wrote(written?.control);
  }

  /** A stake whose work is done: the next write drops it. */
  over(stake: Stake, epoch: string): void {
    this.#over = [...this.#over, { stake, epoch }];
  }

  /** The block as it stands now: what it does not name any more needs no dropping. */
  wrote(control: Control | undefined): void {
    const stands = ({ stake, epoch }: Over): boolean =>
      control?.epoch === epoch && control.stakes.some((one) => isSameStake(one, stake));
    this.#over = this.#over.filter(stands);
    for (const hold of [...this.#holdings.holds]) {
      if (hold.isOver && (control === undefined || !hold.stands(control))) this.#holdings.remove(hold);
    }
  }

  forgetHead(): void {
    this.#head = undefined;
  }

  /** A heartbeat, the block, and the heartbeats of those it names. */
  async #lookAtBlock(): Promise<{ seen: Seen; owner: string; beats: ReadonlyMap<string, Heartbeat> } | undefined> {
    const { session, control, keys } = this.#parts;
    const known = ownersIn(control.latest?.control, this.#owner.name);
    const name = this.#owner.name ?? (await this.#owner.beat());
    const began = this.#owner.moment();
    const gets = known.map((owner) => ({ kind: "get", key: keys.owner(owner) }) as const);
    const [beat, block, ...reads] = await session.surely([this.#owner.beating(name), control.look, ...gets]);
    if (beat === undefined || !this.#owner.heard(beat.answer, began)) {
      this.#holdings.lapse();
      await this.#owner.beat();
    }
    const seen = await control.take(block?.answer);
    this.#holdings.compare(seen?.control);
    this.#dropLost();
    if (seen === undefined) return undefined;
    const owner = this.#owner.name ?? name;
    const heard = new Map(known.map((one, index) => [one, heartbeatOf(itemOf(reads[index]?.answer))]));
    const unheard = ownersIn(seen.control, owner).filter((one) => !heard.has(one));
    const more = unheard.length === 0 ? [] : await heartbeatsOf(this.#parts, unheard);
    return { seen, owner, beats: new Map([...heard, ...more]) };
  }

  /** Tasks of a lost hold that still run are known by nothing but their claim, which is refused then. */
  #dropLost(): void {
    for (const hold of [...this.#holdings.holds]) {
      if (hold.isLost && hold.outCount === 0) this.#holdings.remove(hold);
    }
  }

  async #readHead(control: Control): Promise<Head | undefined> {
    const [first] = control.lists;
    const name = first?.name ?? "";
    if (this.#head?.name === name && this.#head.text.length > control.offset) return { text: this.#head.text };
    const item = await this.#parts.session.get(this.#parts.keys.list(control.epoch, name));
    this.#head = item && { name, text: item.value.toString("latin1") };
    return item && this.#head && { text: this.#head.text, cas: item.cas };
  }

  #isOrphan(stake: Stake, owner: string, beats: ReadonlyMap<string, Heartbeat>): boolean {
    if (stake.owner === "") return true;
    if (stake.owner === owner) return !this.#isKnown(stake);
    // Not from ourselves while a task of it still runs: the lease ended, the handler did not.
    if (this.#holdings.holds.some((hold) => hold.startedCount > 0 && isSameStake(hold.stake, stake))) return false;
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
      (block, { stake, epoch }) =>
        block.epoch === epoch && block.stakes.some((one) => isSameStake(one, stake))
          ? withStake(block, stake, [])
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

const overOf = ({ stake, epoch }: Hold): Over => ({ stake, epoch });

/** The owners of stakes in a block, without `me`. */
function ownersIn(control: Control | undefined, me: string | undefined): readonly string[] {
  const owners = new Set(control?.stakes.map((stake) => stake.owner));
  owners.delete("");
  owners.delete(me ?? "");
  return [...owners];
}
