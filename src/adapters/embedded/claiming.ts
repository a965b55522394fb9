import type { Claim, Claimed, ClaimRequest, Finding, Idle } from "../../ports/broker.ts";
import { LEASE_MS } from "../../ports/broker.ts";
import type { FrontRow } from "./front-rows.ts";
import { holdInRanges } from "./held-ranges.ts";
import { addHolder, isOnRecord, leaseFrom, prolong } from "./holder.ts";
import { idleReason, pausedIdle, pausedUntil } from "./idle.ts";
import type { Owner, Tenure } from "./owner.ts";
import { STATE } from "./schema.ts";
import { counterOf, front, select, suspects, type Selection } from "./selection.ts";
import type { StoredQueue } from "./stored-queue.ts";
import { forgetFlights, takeOverFromGone } from "./succession.ts";

/** What one transaction found and did; memory follows when it is committed. */
interface Catch {
  readonly tenure: Tenure | undefined;
  readonly claims: readonly { readonly claim: Claim; readonly row: FrontRow }[];
  readonly findings: readonly Finding[];
  readonly newer: readonly number[];
  /** Owners taken over from, whose journals are of no more use. */
  readonly departed: readonly number[];
  /** Something has to run alone, and could not because its taker held something. */
  readonly passedOver: boolean;
  /** Undefined with no claims either: too much was in the way, look again. */
  readonly idle: Idle | undefined;
}

interface Choice extends Selection {
  readonly passedOver: boolean;
}

const NOTHING = { claims: [], findings: [], newer: [], departed: [], passedOver: false };

// A lease that is shorter than this is prolonged with the next claim.
const SHORT_LEASE_MS = (LEASE_MS * 2) / 3;
// What must run alone waits for a moment in which its owner holds nothing; in a busy worker that moment has
// to be made, once it has been passed over for so long.
const PASS_OVER_MS = 30_000;

/** Takes up to `limit` due tasks; first what has to run alone, when nothing else is held. */
export async function claim(queue: StoredQueue, owner: Owner, request: ClaimRequest): Promise<Claimed> {
  const findings: Finding[] = [];
  owner.interrupt();
  for (;;) {
    const caught = await queue.connection.write("relaxed", () => fish(queue, owner, request.limit));
    remember(queue, owner, caught);
    findings.push(...caught.findings);
    const claims = caught.claims.map((item) => item.claim);
    owner.resume(request.atOnce);
    if (claims.length > 0) return { claims, findings };
    const idle = caught.idle ?? (owner.looksPastNewer ? undefined : { kind: "empty" as const });
    if (idle !== undefined) return { claims, idle, findings };
  }
}

/** Whether an owner has to let go of everything before it gets more. `suspectWaits`: something must run alone. */
export function mustEmptyHands(owner: Owner, suspectWaits: boolean, nowMs: number): boolean {
  if (owner.holdsAlone) return true;
  if (!suspectWaits || owner.heldCount === 0 || owner.passedOverSince === undefined) return false;
  return nowMs - owner.passedOverSince >= PASS_OVER_MS;
}

function fish(queue: StoredQueue, owner: Owner, limit: number): Catch {
  const nowMs = queue.clock.now();
  const row = queue.row();
  if (row === undefined) return { ...NOTHING, tenure: owner.tenure, idle: { kind: "empty" } };
  const paused = pausedUntil(row, nowMs);
  if (paused !== undefined) return { ...NOTHING, tenure: owner.tenure, idle: pausedIdle(paused) };
  const departed = takeOverFromGone(queue, owner, row.id);
  const tenure = currentTenure(queue, owner);
  const choice = choose(queue, owner, { number: row.id, limit, free: tenure === undefined });
  bury(queue, choice.broken);
  const seen = {
    findings: findingsOf(queue, choice),
    newer: choice.newer.map(({ id }) => id),
    departed,
    passedOver: choice.passedOver,
  };
  if (choice.opened.length > 0)
    return { ...seen, ...take(queue, owner, { tenure, choice }), idle: undefined };
  const idle = choice.complete ? idleReason(queue, owner, nowMs) : undefined;
  return { ...seen, claims: [], tenure, idle };
}

/** What this owner claims under; undefined: nothing yet, or others have taken over from it. */
function currentTenure({ connection, clock }: StoredQueue, owner: Owner): Tenure | undefined {
  const { tenure } = owner;
  if (tenure === undefined) return undefined;
  const nowMs = clock.now();
  if (tenure.leaseEndsAt - nowMs >= SHORT_LEASE_MS) {
    return isOnRecord(connection, tenure.holder) ? tenure : undefined;
  }
  const lease = leaseFrom(nowMs, owner);
  return prolong(connection, tenure.holder, lease)
    ? { holder: tenure.holder, leaseEndsAt: lease.endsAt }
    : undefined;
}

function choose(
  queue: StoredQueue,
  owner: Owner,
  wish: { readonly number: number; readonly limit: number; readonly free: boolean },
): Choice {
  const passed = owner.newer;
  const nowMs = queue.clock.now();
  const fetchSuspects = suspects(queue, wish.number);
  const passedOver = fetchSuspects(1, passed).length > 0;
  if (passedOver && (wish.free || owner.heldCount === 0)) {
    const alone = select(queue, fetchSuspects, { limit: 1, passed });
    return { ...alone, passedOver: false, complete: false };
  }
  if (!wish.free && mustEmptyHands(owner, passedOver, nowMs)) {
    return { opened: [], broken: [], newer: [], complete: true, passedOver };
  }
  return { ...select(queue, front(queue, wish.number, nowMs), { limit: wish.limit, passed }), passedOver };
}

function bury(queue: StoredQueue, broken: Selection["broken"]): void {
  for (const { row, reason } of broken) {
    queue.connection.run(
      "UPDATE task SET state = ?, at = ?, suspect = 0, presumed = 0, error = ? WHERE id = ?",
      STATE.dead,
      queue.clock.now(),
      reason,
      row.id,
    );
    queue.count({ [counterOf(row.state)]: -1, dead: 1 });
  }
}

function findingsOf({ ids }: StoredQueue, { broken, newer }: Selection): Finding[] {
  return [
    ...broken.map(({ row, reason }): Finding => ({ kind: "buried", id: ids.format(row.id), reason })),
    ...newer.map((row): Finding => ({ kind: "newer", id: ids.format(row.id) })),
  ];
}

/** Makes the chosen rows this owner's. */
function take(
  queue: StoredQueue,
  owner: Owner,
  { tenure, choice }: { readonly tenure: Tenure | undefined; readonly choice: Selection },
): Pick<Catch, "tenure" | "claims"> {
  const held = tenure ?? newTenure(queue, owner);
  const rows = choice.opened.map(({ row }) => row);
  hold(queue, held.holder, rows);
  const delayed = rows.filter(({ state }) => state === STATE.delayed).length;
  queue.count({ waiting: delayed - rows.length, delayed: -delayed, running: rows.length });
  const claims = choice.opened.map(({ row, task }) => {
    const receipt = `${String(held.holder)}.${String(row.id)}.${String(row.claims + 1)}`;
    const claim = { task, receipt, attempt: row.attempts + 1, alone: row.suspect === 1 };
    // Most tasks were never tried: theirs is not looked up.
    const askedFrom = row.attempts > 0 ? askedFromOf(queue, row) : null;
    return { row, claim: askedFrom === null ? claim : { ...claim, askedFrom } };
  });
  return { tenure: held, claims };
}

const askedFromOf = ({ connection }: StoredQueue, { id }: FrontRow): number | null =>
  (connection.get("SELECT asked_from FROM task WHERE id = ?", id) as { asked_from: number | null })
    .asked_from;

function hold(queue: StoredQueue, holder: number, rows: readonly FrontRow[]): void {
  const others = holdInRanges(queue, holder, rows);
  if (others.length === 0) return;
  queue.connection.run(
    `UPDATE task SET state = ?, holder = ?, claims = claims + 1
     WHERE id IN (SELECT value FROM json_each(?))`,
    STATE.running,
    holder,
    JSON.stringify(others.map(({ id }) => id)),
  );
}

function newTenure(queue: StoredQueue, owner: Owner): Tenure {
  const lease = leaseFrom(queue.clock.now(), owner);
  return { holder: addHolder(queue, owner.processes.self(), lease), leaseEndsAt: lease.endsAt };
}

/** The transaction is committed: memory follows. */
function remember(queue: StoredQueue, owner: Owner, caught: Catch): void {
  if (caught.tenure !== undefined) owner.renewed(caught.tenure);
  else if (owner.tenure !== undefined) owner.lose();
  for (const { claim, row } of caught.claims) {
    owner.hold(claim.receipt, {
      row: row.id,
      claimNumber: row.claims + 1,
      attempt: claim.attempt,
      alone: claim.alone,
      started: false,
      note: undefined,
      next: undefined,
      held: true,
      hasReported: false,
    });
  }
  for (const row of caught.newer) owner.noteNewer(row);
  owner.passedOver(caught.passedOver ? (owner.passedOverSince ?? queue.clock.now()) : undefined);
  forgetFlights(queue.connection, caught.departed);
}
