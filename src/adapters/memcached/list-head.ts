import { unclaimedFrom } from "./control.ts";
import type { Control } from "./control.ts";
import type { Head } from "./next-step.ts";
import type { Parts } from "./parts.ts";
import { itemOf } from "./session.ts";
import type { Item } from "./session.ts";
import type { Answer, Operation } from "./wire.ts";

/** A list as it was read last. */
interface ReadList {
  readonly name: string;
  readonly text: string;
  readonly cas: bigint;
}

/** A list that is being read. */
export interface Reading {
  readonly name: string;
  readonly operation: Operation;
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
  hasMore(control: Control): boolean {
    const read = this.#known(control);
    return read !== undefined && read.text.length > control.offset;
  }

  /**
   * The operation that reads the first list, for who looks at the block anyway and expects this list in it; undefined
   * where that is not needed as far as is known. Hand its answer to `heard`.
   */
  reading(control: Control | undefined): Reading | undefined {
    const [first] = control?.lists ?? [];
    if (control === undefined || first === undefined || this.hasMore(control)) return undefined;
    return { name: first.name, operation: { kind: "get", key: this.#key(control, first.name) } };
  }

  /** What `reading` brought, once it is known that the block still has the list in that place. */
  heard({ name }: Reading, answer: Answer | undefined): void {
    const item = itemOf(answer);
    if (item !== undefined) this.#read = readList(name, item);
  }

  /** The first list that has something to claim, or the last one. */
  async find(seen: Control): Promise<FirstList> {
    let control = seen;
    while (!this.hasMore(control)) {
      control = await this.#close(control);
      if (this.hasMore(control)) break;
      control = withoutCut(control, await this.#readFirst(control));
      if (this.hasMore(control)) break;
      const isOnly = control.lists.length === 1;
      if (this.#read === undefined && !isOnly) control = shifted(control, !control.closing);
      else if (isOnly || !control.closing) break;
    }
    return { control, head: this.#read };
  }

  /** What is known of the first list. */
  #known({ lists: [first] }: Control): ReadList | undefined {
    return this.#read?.name === first?.name ? this.#read : undefined;
  }

  async #readFirst(control: Control): Promise<ReadList | undefined> {
    const name = control.lists[0]?.name ?? "";
    const item = await this.#parts.session.get(this.#key(control, name));
    this.#read = item && readList(name, item);
    return this.#read;
  }

  /** When the first list is shut and used up, as far as is known: deletes it, and reads the next. */
  async #close(control: Control): Promise<Control> {
    const known = this.#known(control);
    const [, next] = control.lists;
    if (known === undefined || next === undefined || !control.closing) return control;
    this.#read = undefined;
    const operations: readonly Operation[] = [
      { kind: "delete", key: this.#key(control, known.name), cas: known.cas },
      { kind: "get", key: this.#key(control, next.name) },
    ];
    const [closed, read] = await this.#parts.session.surely(operations);
    if (closed?.answer.kind === "exists") return control; // somebody has appended to it meanwhile
    const item = itemOf(read?.answer);
    this.#read = item && readList(next.name, item);
    return shifted(control, false);
  }

  #key({ epoch }: Control, name = ""): string {
    return this.#parts.keys.list(epoch, name);
  }
}

const readList = (name: string, { value, cas }: Item): ReadList => ({
  name,
  text: value.toString("latin1"),
  cas,
});

/** The block for a first list as it was just read: where others have cut it, it counts as lost, and as new. */
function withoutCut(control: Control, read: ReadList | undefined): Control {
  const offset = unclaimedFrom(control, read?.text.length ?? Infinity);
  return offset === control.offset ? control : { ...control, offset, closing: false, lost: control.lost + 1 };
}

/** The block without its first list. */
const shifted = (control: Control, isLost: boolean): Control => ({
  ...control,
  lists: control.lists.slice(1),
  offset: 0,
  closing: false,
  lost: control.lost + (isLost ? 1 : 0),
});
