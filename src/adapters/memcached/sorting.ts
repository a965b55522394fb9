import type { Codec, Decoded } from "../../task/codec.ts";
import { becomes } from "./becomes.ts";
import type { BlockMark, Control, Place, TaskStake } from "./control.ts";
import { nameIn } from "./entries.ts";
import type { ListEntry } from "./entries.ts";
import { goneAt } from "./gone-members.ts";
import { isKeyed, memberId, taskIdOf } from "./names.ts";
import { decodeRecord } from "./record.ts";
import type { Run, StoredRecord } from "./record.ts";
import type { Item } from "./session.ts";

/** What a record in a stake is to the owner of the stake. */
export type Sorted =
  /** Not there. `counts`: nothing but a loss explains it. */
  | { readonly kind: "missing"; readonly counts: boolean }
  /** Another stake has it, or had it last, for all that is known. */
  | { readonly kind: "elsewhere" }
  | { readonly kind: "newer" }
  | { readonly kind: "broken" }
  | { readonly kind: "cancelled"; readonly stored: StoredRecord }
  | { readonly kind: "dead"; readonly stored: StoredRecord }
  | { readonly kind: "delayed"; readonly due: number }
  | { readonly kind: "tasks"; readonly stored: StoredRecord };

/** Where a record stands: in which stake, and up to when delayed tasks were released. */
export interface Standing {
  readonly stake: TaskStake;
  readonly entry: ListEntry;
  readonly sweptTo: number;
  /** The block, when it was looked at after the record: a mark for a stake that does not hold the record there is nobody's. */
  readonly control?: Control;
}

export function sortRecord(item: Item | undefined, standing: Standing): Sorted {
  const { stake, entry, sweptTo } = standing;
  if (item === undefined) return { kind: "missing", counts: isLoss(stake, entry) };
  const decoded = decodeRecord(item.value);
  if (decoded.kind !== "record") return decoded;
  const stored = decoded.record;
  if (stored.state === "dead") return { kind: "dead", stored };
  if (stored.state === "ready" && stored.due > sweptTo) return { kind: "delayed", due: stored.due };
  const known = isOthers(stored, stake) ? unlessHeld(stored, standing) : stored;
  if (known === undefined) return { kind: "elsewhere" };
  return { kind: stored.state === "cancelled" ? "cancelled" : "tasks", stored: known };
}

// What was taken over may have been settled before; what is keyed may be listed twice.
const isLoss = (stake: TaskStake, entry: ListEntry): boolean =>
  stake.generation === 0 && !entry.again && !isKeyed(entry.name);

const isOthers = ({ run }: StoredRecord, stake: TaskStake): boolean =>
  run !== undefined && (run.stake !== stake.id || run.generation > stake.generation);

/**
 * A record whose mark names a stake that nobody has: it came late from an owner whose lease had ended, or somebody
 * else wrote it. Who starts it has to mark it. Undefined: for all that is known somebody has it.
 */
function unlessHeld(stored: StoredRecord, { control, entry }: Standing): StoredRecord | undefined {
  if (control === undefined || isHeld(control, stored.run, entry.name)) return undefined;
  return becomes.freed(stored);
}

const isHeld = ({ stakes }: Control, run: Run | undefined, name: string): boolean =>
  stakes.some(
    (stake) =>
      stake.kind === "tasks" &&
      stake.id === run?.stake &&
      stake.generation >= run.generation &&
      stake.entries.some((text) => nameIn(text) === name),
  );

/** A task of a record, as the codec reads it, and what is known of its starts. */
export interface OpenedMember {
  readonly index: number;
  readonly id: string;
  readonly opened: Decoded;
  /** Which attempt starting it will be. */
  readonly attempt: number;
  /** It may have ended an earlier owner. */
  readonly isSuspect: boolean;
  /** It was among the first that the earlier owner may have started; no mark says that it did. */
  readonly isPresumed: boolean;
}

/** The unsettled tasks of a record; `place`: which entry of the stake. */
export function openMembers(
  name: string,
  stored: StoredRecord,
  { stake, place, codec }: { readonly stake: TaskStake; readonly place: number; readonly codec: Codec },
): readonly OpenedMember[] {
  const members: OpenedMember[] = [];
  const gone = goneAt(stake.gone, place);
  for (const [index, { text }] of stored.members.entries()) {
    if (text === undefined || gone.has(index)) continue;
    const id = stored.bundled ? memberId(name, index) : taskIdOf(name, stored.nonce);
    const opened = codec.open(id, stored.bornAt, text);
    const { charged, isOnRecord, mayHave } = startsOf(stored, stake, { entry: place, member: index });
    const counts = mayHave && !isAlwaysMarked(opened);
    const attempt = charged + (counts ? 2 : 1);
    members.push({ index, id, opened, attempt, isSuspect: isOnRecord || counts, isPresumed: counts });
  }
  return members;
}

/** Whether any task of a record may have ended an earlier owner of the stake; `entry`: its place in it. */
export const hasSuspects = (stored: StoredRecord, stake: TaskStake, entry: number): boolean =>
  stored.state === "ready" &&
  stored.members.some(({ text }, member) => {
    if (text === undefined || goneAt(stake.gone, entry).has(member)) return false;
    const { isOnRecord, mayHave } = startsOf(stored, stake, { entry, member });
    return isOnRecord || mayHave;
  });

/** What is known of the starts of a task by earlier owners of its stake. */
function startsOf(
  stored: StoredRecord,
  stake: TaskStake,
  place: Place,
): { readonly charged: number; readonly isOnRecord: boolean; readonly mayHave: boolean } {
  const attempts = attemptsAt(stored, place);
  if (isUntouched(stored, stake)) return { charged: attempts, isOnRecord: false, mayHave: false };
  const mark = markAt(stake, place);
  const isOnRecord = mark !== undefined || (stored.run?.stake === stake.id && attempts > 0);
  const charged = Math.max(attempts, mark?.attempts ?? 0);
  return { charged, isOnRecord, mayHave: !isOnRecord && mayHaveStarted(stored, stake, place) };
}

const markAt = ({ marks }: TaskStake, place: Place): BlockMark | undefined =>
  marks?.find(({ entry, member }) => entry === place.entry && member === place.member);

const attemptsAt = ({ members }: StoredRecord, { member }: Place): number => members[member]?.attempts ?? 0;

/** Nothing tells of a start: so it is with most records. */
const isUntouched = (stored: StoredRecord, stake: TaskStake): boolean =>
  stored.run === undefined && stake.marks === undefined && stake.suspectsTo === undefined;

/** Whether the first owner of a stake may have started it without a mark. */
function mayHaveStarted(stored: StoredRecord, stake: TaskStake, place: Place): boolean {
  const to = stake.suspectsTo;
  if (to === undefined || !isUnmarked(stored, stake)) return false;
  return place.entry < to.entry || (place.entry === to.entry && place.member <= to.member);
}

/** No mark of a later owner stands on it: its tasks may be, or may have been, started without one. */
export const isUnmarked = (stored: StoredRecord, stake: TaskStake): boolean =>
  stored.run === undefined ? !stored.marked : stored.run.stake === stake.id && stored.run.generation === 0;

// A task without retries is marked at its only start: without a mark it was never started.
const isAlwaysMarked = (opened: Decoded): boolean => opened.kind === "task" && opened.task.retries === 0;

/** Still there, and no start of it is on record. */
function isUncharged({ members }: StoredRecord, stake: TaskStake, place: Place): boolean {
  const member = members[place.member];
  if (member?.text === undefined || member.attempts > 0) return false;
  return markAt(stake, place) === undefined && !goneAt(stake.gone, place.entry).has(place.member);
}

/**
 * Up to where a dead owner may have started tasks without a mark, when it could start `loose` at a time:
 * that many of the first ones that are still there.
 */
export function suspectsTo(
  loose: number,
  records: readonly (StoredRecord | undefined)[],
  stake: TaskStake,
): Place | undefined {
  let left = loose;
  let last: Place | undefined;
  for (const [entry, stored] of records.entries()) {
    if (stored?.state !== "ready" || !isUnmarked(stored, stake)) continue;
    for (const member of stored.members.keys()) {
      if (left === 0) return last;
      if (!isUncharged(stored, stake, { entry, member })) continue;
      left -= 1;
      last = { entry, member };
    }
  }
  return last;
}
