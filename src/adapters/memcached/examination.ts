import type { QueueTrace, RoomNeed, ServerExamination } from "../../ports/examination.ts";
import { decodeControl } from "./control-codec.ts";
import { memoryFile, recall } from "./losses.ts";
import { keysOf } from "./names.ts";
import { itemOf } from "./session.ts";
import { tryOperations } from "./trial.ts";
import type { Wire } from "./wire.ts";

// A key and what the server adds to an item.
const AROUND_BYTES = 140;

// docs/memcached-layout.md: what a queue keeps, from the smallest to the largest that is usual.
const NEEDS: readonly RoomNeed[] = [
  { what: "a small task", bytes: 150 + AROUND_BYTES },
  { what: "the control block", bytes: 824 + AROUND_BYTES },
  { what: "a waiting list", bytes: 2_048 + AROUND_BYTES },
  { what: "a bundle of tasks", bytes: 16_000 + AROUND_BYTES },
];

/** Looks a server over. @throws MemqError when it cannot be reached or does not answer. */
export async function examineServer(wire: Wire, now: () => number): Promise<ServerExamination> {
  const askedAt = now();
  const general = await wire.stats("");
  const clock = { askedAt, answeredAt: now() };
  const [settings, items, slabs] = [
    await wire.stats("settings"),
    await wire.stats("items"),
    await wire.stats("slabs"),
  ];
  const trial = await tryOperations(wire);
  return { server: wire.server, stats: { general, settings, items, slabs }, trial, clock, needs: NEEDS };
}

/** Looks what the server has of a queue; `memory`: the folder in which this host remembers it. */
export async function traceQueue(
  wire: Wire,
  { queue, memory }: { readonly queue: string; readonly memory: string },
): Promise<QueueTrace> {
  const [answer] = await wire.batch([{ kind: "get", key: keysOf(queue).control }]);
  const item = itemOf(answer);
  const decoded = item && decodeControl(item.value);
  if (decoded !== undefined && decoded.kind !== "control") return { kind: decoded.kind };
  const seen = recall(memoryFile(memory, wire.server, queue));
  if (seen === undefined || seen.epoch === "") return { kind: decoded === undefined ? "absent" : "unseen" };
  const seenAt = seen.at;
  if (decoded?.control.epoch !== seen.epoch) return { kind: "begunAnew", seenAt };
  const atLeast = decoded.control.lost - seen.lost;
  return atLeast > 0 ? { kind: "torn", seenAt, atLeast } : { kind: "whole", seenAt };
}

/** Whether the server throws items away when its memory is full. @throws MemqError when it cannot be reached. */
export const throwsAway = async (wire: Wire): Promise<boolean> =>
  (await wire.stats("settings")).get("evictions") === "on";
