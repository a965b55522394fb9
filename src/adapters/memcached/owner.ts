import { livenessOf, nameOf } from "../../host/process-identity.ts";
import type { ProcessIdentity } from "../../host/process-identity.ts";
import { controlBytes } from "./control-codec.ts";
import { NAME_LETTERS } from "./control-store.ts";
import type { Parts } from "./parts.ts";
import type { Known, Item } from "./session.ts";
import type { Operation } from "./wire.ts";

// As large as the smallest control block: on a full server it can take the place of what is set aside for that.
const HEARTBEAT_BYTES = controlBytes("");

/** Who claims: a name with a heartbeat that ends by itself. A new name at every join, so none comes back to life. */
export class Owner {
  readonly #parts: Parts;
  readonly #holder: ProcessIdentity;
  readonly #leaseMs: number;
  readonly #elapsedMs: () => number;
  #name: string | undefined;
  /** By both clocks: one may be set, the other may stand still while the machine sleeps. */
  #beat = { at: 0, elapsed: 0 };
  #asking: Promise<boolean> | undefined;

  constructor(
    parts: Parts,
    options: { readonly holder: ProcessIdentity; readonly leaseMs: number; readonly elapsedMs: () => number },
  ) {
    this.#parts = parts;
    this.#holder = options.holder;
    this.#leaseMs = options.leaseMs;
    this.#elapsedMs = options.elapsedMs;
  }

  /** Undefined before the first claim. */
  get name(): string | undefined {
    return this.#name;
  }

  /** Whether the lease certainly has not ended. */
  get isFresh(): boolean {
    const limit = (this.#leaseMs * 2) / 3;
    const age = this.#parts.clock.now() - this.#beat.at;
    return age >= 0 && age < limit && this.#elapsedMs() - this.#beat.elapsed < limit;
  }

  /** The name after a heartbeat: another than before when the lease had ended. */
  async beat(): Promise<string> {
    if (this.#name !== undefined && (await this.#ask())) return this.#name;
    return this.#join();
  }

  /** Whether the lease stands at this moment; it is prolonged then. Who asks while others do shares their answer. */
  lives(): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<boolean> {
    if (this.#name === undefined) return false;
    const began = this.#moment();
    const { answer } = await this.#parts.session.sure(this.beating(this.#name));
    return this.heard(answer, began);
  }

  /** The operation of a heartbeat; hand its answer to `heard`. */
  beating(name: string): Operation {
    return { kind: "touch", key: this.#parts.keys.owner(name), ttlSeconds: this.#ttlSeconds };
  }

  /** Whether the lease still stood. */
  heard(answer: Known, began: ReturnType<Owner["moment"]>): boolean {
    if (answer.kind !== "ok") return false;
    this.#beat = began;
    return true;
  }

  /** Now, by both clocks; to be taken before a heartbeat is sent. */
  moment(): { readonly at: number; readonly elapsed: number } {
    return this.#moment();
  }

  async leave(): Promise<void> {
    if (this.#name === undefined) return;
    await this.#parts.session.sure({ kind: "delete", key: this.#parts.keys.owner(this.#name) });
    this.#name = undefined;
  }

  async #join(): Promise<string> {
    const { session, keys, random } = this.#parts;
    const name = random(NAME_LETTERS);
    const began = this.#moment();
    const value = JSON.stringify(this.#holder).padEnd(HEARTBEAT_BYTES);
    const add: Operation = { kind: "add", key: keys.owner(name), value, ttlSeconds: this.#ttlSeconds };
    const { answer } = await session.sure(add);
    if (answer.kind === "full") await this.#parts.reserve.instead(add, HEARTBEAT_BYTES);
    session.tasksAreHeld();
    this.#name = name;
    this.#beat = began;
    return name;
  }

  #moment(): { readonly at: number; readonly elapsed: number } {
    return { at: this.#parts.clock.now(), elapsed: this.#elapsedMs() };
  }

  // The server ends a lease at a full second, up to one early.
  get #ttlSeconds(): number {
    return Math.ceil(this.#leaseMs / 1_000) + 1;
  }
}

/** Reads the heartbeats of owners; dead are those without one, and those whose process is gone from this host. */
export async function heartbeatsOf(
  parts: Parts,
  owners: readonly string[],
): Promise<ReadonlyMap<string, Heartbeat>> {
  const read = await parts.session.getAll(owners.map((owner) => parts.keys.owner(owner)));
  return new Map(owners.map((owner, index) => [owner, heartbeatOf(read[index])]));
}

/** What is known of an owner. */
export interface Heartbeat {
  readonly alive: boolean;
  /** `host:pid`, for people; undefined when nothing is known. */
  readonly holder?: string;
}

/** What a heartbeat says, or that there is none. */
export function heartbeatOf(item: Item | undefined): Heartbeat {
  if (item === undefined) return { alive: false };
  const holder = readIdentity(item.value);
  if (holder === undefined) return { alive: true };
  return { alive: livenessOf(holder) !== "dead", holder: nameOf(holder) };
}

function readIdentity(value: Buffer): ProcessIdentity | undefined {
  try {
    const read: unknown = JSON.parse(value.toString("utf8"));
    return isIdentity(read) ? read : undefined;
  } catch {
    return undefined; // the lease counts; who it is was only for people and for a faster take-over
  }
}

function isIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== "object" || value === null) return false;
  const { host, realm, pid, startedAt } = value as Record<string, unknown>;
  return (
    typeof host === "string" &&
    typeof realm === "string" &&
    typeof startedAt === "string" &&
    Number.isSafeInteger(pid)
  );
}
