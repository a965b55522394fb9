import { currentStake, isSameStake, withStake } from "./control.ts";
import type { Stake, TaskStake } from "./control.ts";
import type { Ender } from "./ender.ts";
import type { Holdings } from "./holdings.ts";
import type { Parts } from "./parts.ts";
import type { ListPurger } from "./list-purger.ts";
import type { PutBack } from "./put-back.ts";
import type { Scout } from "./scout.ts";
import type { Sweeper } from "./sweeper.ts";

/** What keeping house works with. */
export interface HousekeeperTools {
  readonly holdings: Holdings;
  readonly ender: Ender;
  readonly scout: Scout;
  readonly sweeper: Sweeper;
  readonly putBack: PutBack;
  readonly listPurger: ListPurger;
}

// What had no memory a moment ago may have some now.
const RETRY_MS = 1_000;

interface Finished {
  readonly isWhole: boolean;
  /** Tasks that were found to be gone. */
  readonly lost?: number;
}

/** Does what stakes say that hold nothing to be run, and clears away those that had to stand. */
export class Housekeeper {
  readonly #parts: Parts;
  readonly #tools: HousekeeperTools;
  #retriedAt = -Infinity;

  constructor(parts: Parts, tools: HousekeeperTools) {
    this.#parts = parts;
    this.#tools = tools;
  }

  /** Without memory for it (false) the stake stands; it is nobody's then, so that somebody tries again. */
  async finish(stake: Exclude<Stake, TaskStake>, epoch: string): Promise<boolean> {
    const { isWhole, lost = 0 } = await this.#do(stake, epoch);
    if (isWhole) this.#tools.scout.over({ stake, epoch, lost });
    else await this.#abandon(stake);
    return isWhole;
  }

  async #do(stake: Exclude<Stake, TaskStake>, epoch: string): Promise<Finished> {
    const { sweeper, putBack, listPurger } = this.#tools;
    switch (stake.kind) {
      case "sweep":
        return sweeper.sweep(stake, epoch);
      case "putBack":
        return putBack.complete(stake, epoch);
      case "purge":
        await listPurger.remove(stake, epoch);
        return { isWhole: true };
    }
  }

  /**
   * A stake of which nothing is left to run, and that had to stand, is taken over like a dead owner's. False: there
   * is none, or it was tried a moment ago.
   */
  async retry(): Promise<boolean> {
    const { clock, control } = this.#parts;
    if (clock.upMs() < this.#retriedAt + RETRY_MS) return false;
    const { holdings, ender } = this.#tools;
    if (holdings.holds.some(({ owed }) => owed > 0)) {
      this.#retriedAt = clock.upMs();
      await ender.pay();
    }
    const stuck = holdings.holds.find((hold) => hold.isStuck);
    if (stuck === undefined) return false;
    this.#retriedAt = clock.upMs();
    await control.change((block) => {
      const stake = stuck.stands(block) ? currentStake(block, stuck.stake) : undefined;
      if (stake === undefined) return undefined;
      return withStake(block, stake, [{ ...stake, owner: "", generation: stake.generation + 1 }]);
    });
    holdings.remove(stuck);
    return true;
  }

  async #abandon(stake: Stake): Promise<void> {
    const nobodys = { ...stake, owner: "" };
    await this.#parts.control.change((block) =>
      block.stakes.some((one) => isSameStake(one, stake)) ? withStake(block, stake, [nobodys]) : undefined,
    );
  }
}
