import { MemqError } from "../../errors.ts";
import type { Published } from "../../ports/broker.ts";
import type { Codec } from "../../task/codec.ts";
import type { Draft } from "../../task/task.ts";
import { stateOf } from "./entry.ts";
import type { Entry } from "./entry.ts";
import type { MemoryQueue } from "./queue.ts";

/** A draft, and the bulk that it is part of. */
interface Wish {
  readonly draft: Draft;
  readonly bulk?: string | undefined;
}

/** Keeps one draft, or answers why not. */
export function keepDraft(queue: MemoryQueue, codec: Codec, wish: Wish): Published {
  const { draft, bulk } = wish;
  const body = encode(codec, draft);
  if (typeof body !== "string") return body;
  const rival = draft.key === undefined ? undefined : queue.shelf.unfinished(draft.key);
  if (rival === undefined) return { kind: "kept", id: shelve(queue, codec, { draft, bulk, body }) };
  const state = stateOf(rival, queue.clock.now());
  if (draft.onDuplicate !== "replace" || state === "running")
    return { kind: "duplicate", of: rival.id, state };
  queue.remove(rival);
  return { kind: "kept", id: shelve(queue, codec, { draft, bulk, body }), replaced: rival.id };
}

function encode(codec: Codec, draft: Draft): string | Published {
  try {
    return codec.encode(draft);
  } catch (error) {
    if (!(error instanceof MemqError)) throw error;
    return { kind: "refused", code: error.code, reason: error.message };
  }
}

function shelve(
  queue: MemoryQueue,
  codec: Codec,
  { draft, bulk, body }: Wish & { readonly body: string },
): string {
  const seq = queue.nextNumber();
  const id = String(seq);
  const now = queue.clock.now();
  const entry: Entry = {
    id,
    seq,
    bornAt: now,
    text: codec.seal(id, body),
    ...(draft.key !== undefined && { key: draft.key }),
    ...(bulk !== undefined && { bulk }),
    since: Math.max(now, draft.dueAt ?? now),
    attempts: 0,
    suspect: false,
  };
  queue.shelf.put(entry);
  return id;
}
