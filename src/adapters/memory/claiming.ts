import type { Claim, Claimed, Finding, Idle } from "../../ports/broker.ts";
import type { Codec } from "../../task/codec.ts";
import type { Task } from "../../task/task.ts";
import { becomes, isSuspect, stateOf } from "./entry.ts";
import type { Entry } from "./entry.ts";
import type { MemoryQueue } from "./queue.ts";

/** Who claims, and what for. */
interface Claimer {
  readonly owner: string;
  readonly codec: Codec;
  readonly limit: number;
  /** Since when suspects have been passed over because it always held something. */
  readonly passedOverSince: number | undefined;
}

/** What a claimer is offered, in order, and what it is not. */
interface Offer {
  readonly entries: readonly Entry[];
  readonly withheld: readonly Entry[];
}

// A busy worker never has empty hands by chance: after so long they are emptied on purpose.
const PASS_OVER_MS = 30_000;

/** Hands out waiting tasks in their order, but a suspect first and by itself. */
export function claimFrom(
  queue: MemoryQueue,
  claimer: Claimer,
): { readonly claimed: Claimed; readonly passedOver: boolean } {
  const pausedUntil = queue.pausedUntil(queue.clock.now());
  if (pausedUntil !== undefined) {
    return { claimed: { claims: [], idle: paused(pausedUntil), findings: [] }, passedOver: false };
  }
  const { entries, withheld } = offer(queue, claimer);
  const { claims, findings } = take(queue, claimer, entries);
  const claimed =
    claims.length > 0
      ? { claims, findings }
      : { claims, idle: idleFor(queue, claimer.owner, withheld.length), findings };
  return { claimed, passedOver: withheld.some(isSuspect) };
}

/** What has to run alone goes only to an owner that holds nothing, and who holds it gets nothing else. */
function offer(queue: MemoryQueue, { owner, passedOverSince }: Claimer): Offer {
  const now = queue.clock.now();
  const waiting = queue.shelf.in("waiting", now);
  const suspects = waiting.filter(isSuspect);
  const others = waiting.filter((entry) => !isSuspect(entry));
  const inHand = [...queue.shelf.all()].filter(
    (entry) => entry.hold?.owner === owner && stateOf(entry, now) === "running",
  );
  if (inHand.length === 0) return { entries: [...suspects, ...others], withheld: [] };
  const hasToLetGo =
    suspects.length > 0 && passedOverSince !== undefined && now - passedOverSince >= PASS_OVER_MS;
  if (hasToLetGo || inHand.some((entry) => entry.suspect)) return { entries: [], withheld: waiting };
  return { entries: others, withheld: suspects };
}

function take(
  queue: MemoryQueue,
  { owner, codec, limit }: Claimer,
  entries: readonly Entry[],
): { readonly claims: Claim[]; readonly findings: Finding[] } {
  const claims: Claim[] = [];
  const findings: Finding[] = [];
  for (const entry of entries) {
    if (claims.length >= limit || claims[0]?.alone === true) break;
    const met = meet(queue, codec, entry);
    if (met.kind === "task") claims.push(hold(queue, owner, { entry, task: met.task }));
    else findings.push(met);
  }
  return { claims, findings };
}

/** The task in an entry; bytes that are none are buried, those of a newer version left alone. */
function meet(
  queue: MemoryQueue,
  codec: Codec,
  entry: Entry,
): { readonly kind: "task"; readonly task: Task } | Finding {
  const { id } = entry;
  const decoded = codec.open(id, entry.bornAt, entry.text);
  switch (decoded.kind) {
    case "task":
      return decoded;
    case "newer":
      return { kind: "newer", id };
    case "broken":
      queue.shelf.put(becomes.buried(entry, queue.clock.now(), decoded.reason));
      return { kind: "buried", id, reason: decoded.reason };
  }
}

function hold(queue: MemoryQueue, owner: string, met: { readonly entry: Entry; readonly task: Task }): Claim {
  const receipt = String(queue.nextNumber());
  const entry = becomes.claimed(met.entry, { owner, receipt, now: queue.clock.now() });
  queue.shelf.put(entry);
  const { attempts, suspect: alone, askedFrom } = entry;
  const claim = { task: met.task, receipt, attempt: attempts + 1, alone };
  return askedFrom === undefined ? claim : { ...claim, askedFrom };
}

/** `withheld`: how many wait that this owner may not have before it has let go of what it holds. */
function idleFor(queue: MemoryQueue, owner: string, withheld: number): Idle {
  const now = queue.clock.now();
  const others = queue.shelf.in("running", now).filter((entry) => entry.hold?.owner !== owner);
  const count = others.length + withheld;
  const nextDueAt = queue.shelf.in("delayed", now)[0]?.since;
  if (count > 0) return { kind: "held", count, ...(nextDueAt !== undefined && { nextDueAt }) };
  return nextDueAt === undefined ? { kind: "empty" } : { kind: "due", at: nextDueAt };
}

const paused = (untilMs: number): Idle =>
  untilMs === Infinity ? { kind: "paused" } : { kind: "paused", untilMs };
