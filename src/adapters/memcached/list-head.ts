import type { Control } from "./control.ts";
import type { Head } from "./next-step.ts";
import type { Parts } from "./parts.ts";
import { itemOf } from "./session.ts";
import type { Operation } from "./wire.ts";

/** A list as it was read last. */
interface ReadList {
  readonly name: string;
  readonly text: string;
  readonly cas: bigint;
}

/** The first list, and a block in which lists that are used up are gone already. */
export interface FirstList {
  /** The block to go on from; written with the next step. */
  readonly control: Control;
  /** Undefined: the only list there is, is not there. */
  readonly head: Head | undefined;
}

/** Reads the first list. It only ever grows, so what was read of it need not be read again. */
export class ListHead {
  readonly #parts: Parts;
  #read: ReadList | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Whether there is more of the first list than is claimed, as far as is known without asking. */
  hasMore({ lists, offset }: Control): boolean {
    return this.#read?.name === lists[0]?.name && this.#read !== undefined && this.#read.text.length > offset;
  }

  /** The first list that has something to claim, or the last one. */
  async find(seen: Control): Promise<FirstList> {
    for (let control = seen; ;) {
      if (this.hasMore(control)) return { control, head: this.#read };
      if (this.#isUsedUp(control)) {
        control = (await this.#close(control)) ?? control;
        if (this.hasMore(control)) return { control, head: this.#read };
      }
      const [first] = control.lists;
      const item = await this.#parts.session.get(this.#key(control, first?.name));
      this.#read = item && { name: first?.name ?? "", text: item.value.toString("latin1"), cas: item.cas };
      const isOnly = control.lists.length === 1;
      if (this.#read === undefined && !isOnly) control = shifted(control, !control.closing);
      else if (this.hasMore(control) || isOnly || !control.closing) return { control, head: this.#read };
    }
  }

  /** Whether the first list is shut, and nothing is left in it as far as is known. */
  #isUsedUp({ lists, offset, closing }: Control): boolean {
    const read = this.#read;
    return closing && lists.length > 1 && read?.name === lists[0]?.name && (read?.text.length ?? 0) <= offset;
  }

  /** Deletes the first list and reads the next; undefined when somebody appended to it late. */
  async #close(control: Control): Promise<Control | undefined> {
    const [first, next] = control.lists;
    const cas = this.#read?.cas ?? 0n;
    this.#read = undefined;
    const operations: readonly Operation[] = [
      { kind: "delete", key: this.#key(control, first?.name), cas },
      { kind: "get", key: this.#key(control, next?.name) },
    ];
    const [closed, read] = await this.#parts.session.surely(operations);
    if (closed?.answer.kind === "exists") return undefined;
    const item = itemOf(read?.answer);
    if (item !== undefined)
      this.#read = { name: next?.name ?? "", text: item.value.toString("latin1"), cas: item.cas };
    return shifted(control, false);
  }

  #key({ epoch }: Control, name = ""): string {
    return this.#parts.keys.list(epoch, name);
  }
}

/** The block without its first list. */
const shifted = (control: Control, isLost: boolean): Control => ({
  ...control,
  lists: control.lists.slice(1),
  offset: 0,
  closing: false,
  lost: control.lost + (isLost ? 1 : 0),
});
