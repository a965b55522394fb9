import { MemqError } from "../../errors.ts";
import { bulkTaken } from "../../ports/bulks.ts";
import { decodeBulk, encodeBulk } from "./bulk-state.ts";
import type { StoredBulk } from "./bulk-state.ts";
import { fullReason } from "./parcels.ts";
import type { Parts } from "./parts.ts";
import type { Operation } from "./wire.ts";

/** A bulk's item as it is known to stand. */
export interface SeenBulk {
  readonly bulk: StoredBulk;
  readonly cas: bigint;
}

/** The items that say how far bulks are. */
export class BulkStore {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @throws MemqError STORE_FOREIGN; TASKS_LOST when the queue was lost since. */
  async read(name: string): Promise<SeenBulk | undefined> {
    const { session, keys, control } = this.#parts;
    const item = await session.get(keys.bulk(name));
    if (item === undefined) return undefined;
    const bulk = decodeBulk(item.value);
    if (bulk === undefined) throw this.#foreign(name);
    const seen = await control.read();
    if (seen?.control.epoch !== bulk.epoch) throw this.lost(name);
    return { bulk, cas: item.cas };
  }

  /** Puts a bulk in the place of what was seen. @throws MemqError BULK_TAKEN, QUEUE_FULL; then nothing was changed. */
  async write(name: string, seen: SeenBulk | undefined, bulk: StoredBulk): Promise<SeenBulk> {
    const { session, keys } = this.#parts;
    const key = keys.bulk(name);
    const value = encodeBulk(bulk);
    const operation: Operation =
      seen === undefined ? { kind: "add", key, value } : { kind: "replace", key, value, cas: seen.cas };
    const { answer } = await session.sure(operation);
    if (answer.kind === "ok") return { bulk, cas: answer.cas };
    if (answer.kind === "full" || answer.kind === "tooLarge") {
      throw new MemqError("QUEUE_FULL", fullReason(this.#parts));
    }
    // A first sending may have been done whose answer was lost; its letters tell.
    const there = await session.get(key);
    if (there?.value.toString("utf8") === value) return { bulk, cas: there.cas };
    throw bulkTaken(name);
  }

  lost(name: string): MemqError {
    const { session, queue } = this.#parts;
    const where = `queue "${queue}" on memcached at ${session.wire.server}`;
    return new MemqError("TASKS_LOST", `bulk "${name}": ${where} was lost since it was begun`);
  }

  #foreign(name: string): MemqError {
    const { session } = this.#parts;
    return new MemqError(
      "STORE_FOREIGN",
      `bulk "${name}" on memcached at ${session.wire.server} was written by a newer memq`,
    );
  }
}
