import { currentStake, unclaimedFrom, withStake } from "./control.ts";
import type { Control, PurgedList, PurgeStake } from "./control.ts";
import { NAME_LETTERS } from "./control-store.ts";
import { parseEntry } from "./entries.ts";
import type { Owner } from "./owner.ts";
import type { Parts } from "./parts.ts";
import type { Removal } from "./removal.ts";
import type { WaitingList } from "./waiting-list.ts";

/** What purging lists works with. */
interface ListPurgerTools {
  readonly owner: Owner;
  readonly waiting: WaitingList;
  readonly removal: Removal;
  /** Keeps the lease of whoever purges: a million records take longer. */
  readonly beat: () => Promise<void>;
}

/**
 * Removes whole waiting lists and what they name. One write takes the lists out of the queue and into a stake, so
 * whoever claims meets none of it, and whoever takes the stake over goes on.
 */
export class ListPurger {
  readonly #parts: Parts;
  readonly #tools: ListPurgerTools;

  constructor(parts: Parts, tools: ListPurgerTools) {
    this.#parts = parts;
    this.#tools = tools;
  }

  /** All lists but the one that is appended to. @returns how many tasks are gone */
  async purge(): Promise<number> {
    const { control, random } = this.#parts;
    const seen = await control.read();
    if (seen === undefined || seen.control.lists.length === 1) return 0;
    await this.#tools.waiting.follow(seen);
    const { epoch } = seen.control;
    const stake: PurgeStake = {
      kind: "purge",
      id: random(NAME_LETTERS),
      owner: await this.#tools.owner.beat(),
      generation: 0,
      lists: [],
    };
    const staked = await control.change((block) => withPurge(block, stake, epoch));
    const mine = staked && currentStake(staked.control, stake);
    if (mine === undefined) return 0;
    const count = await this.remove(mine, epoch);
    await control.change((block) =>
      currentStake(block, mine) === undefined ? undefined : withStake(block, mine, []),
    );
    return count;
  }

  /** Does what a stake says, as far as its owner before has not. @returns how many tasks are gone */
  async remove(stake: PurgeStake, epoch: string): Promise<number> {
    let count = 0;
    for (const list of stake.lists) count += await this.#removeList(list, epoch);
    return count;
  }

  async #removeList({ name, from }: PurgedList, epoch: string): Promise<number> {
    const { session, keys } = this.#parts;
    const key = keys.list(epoch, name);
    let count = 0;
    for (let begin = from; ;) {
      const item = await session.get(key);
      if (item === undefined) return count;
      const text = item.value.toString("latin1", unclaimedFrom({ offset: begin }, item.value.length));
      count += await this.#removeNamed(text, epoch);
      begin = item.value.length;
      // Refused when a publisher that had not heard of it has appended meanwhile: that is part of the list, too.
      const { answer } = await session.sure({ kind: "delete", key, cas: item.cas });
      if (answer.kind !== "exists") return count;
    }
  }

  #removeNamed(text: string, epoch: string): Promise<number> {
    const names = new Set(text.split(",").flatMap((one) => parseEntry(one)?.name ?? []));
    const { removal, beat } = this.#tools;
    return removal.remove(epoch, [...names], { state: "waiting", meanwhile: beat });
  }
}

/** The block with its lists, but the last, in a stake; undefined when that is done, or nothing is to be done. */
function withPurge(block: Control, stake: PurgeStake, epoch: string): Control | undefined {
  const { lists, offset } = block;
  if (block.epoch !== epoch || lists.length === 1 || currentStake(block, stake) !== undefined)
    return undefined;
  const going = lists.slice(0, -1).map(({ name }, at): PurgedList => ({ name, from: at === 0 ? offset : 0 }));
  const purge = { ...stake, lists: going };
  return { ...block, lists: lists.slice(-1), offset: 0, closing: false, stakes: [...block.stakes, purge] };
}
