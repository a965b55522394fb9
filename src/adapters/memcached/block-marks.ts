import { currentStake, withStake } from "./control.ts";
import type { BlockMark, TaskStake } from "./control.ts";
import { withGone } from "./gone-members.ts";
import type { HeldRecord } from "./hold.ts";
import type { Parts } from "./parts.ts";

/** Changes what the control block says of stakes that this owner has. */
export class BlockMarks {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Changes the stake of a record; false when it is not ours any more. `next` answers undefined for no change. */
  async change({ hold }: HeldRecord, next: (stake: TaskStake) => TaskStake | undefined): Promise<boolean> {
    const seen = await this.#parts.control.change((control) => {
      const mine = hold.stands(control) ? currentStake(control, hold.stake) : undefined;
      const changed = mine && next(mine);
      return changed && withStake(control, hold.stake, [changed]);
    });
    if (seen !== undefined && hold.stands(seen.control)) return true;
    hold.isLost = true;
    return false;
  }

  /**
   * Puts the charge of a task on record in the block: a full server can still write that, for it has memory set
   * aside. False: it is not ours any more.
   */
  mark(record: HeldRecord, index: number, attempts: number): Promise<boolean> {
    const mark: BlockMark = { entry: record.place, member: index, attempts };
    const isSame = (one: BlockMark): boolean => one.entry === mark.entry && one.member === mark.member;
    return this.change(record, (stake) => {
      const marks = stake.marks ?? [];
      if (marks.some((one) => isSame(one) && one.attempts >= attempts)) return undefined;
      return { ...stake, marks: [...marks.filter((one) => !isSame(one)), mark] };
    });
  }

  /** Puts on record in the block which members have left a bundle. False: it is not ours any more. */
  leave(record: HeldRecord, members: ReadonlySet<number>): Promise<boolean> {
    return this.change(record, (stake) => {
      const gone = withGone(stake.gone, record.place, members);
      return gone === stake.gone ? undefined : { ...stake, gone };
    });
  }
}
