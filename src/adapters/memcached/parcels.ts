import type { Published } from "../../ports/broker.ts";
import { MemqError } from "../../errors.ts";
import type { Draft } from "../../task/task.ts";
import type { Encoded } from "./bundles.ts";
import { entryText } from "./entries.ts";
import { memberId } from "./names.ts";
import type { Parts } from "./parts.ts";
import { encodeRecord, freshText } from "./record.ts";
import type { StoredRecord } from "./record.ts";
import type { Answer, Operation } from "./wire.ts";

/** Drafts that share a record of their own. */
export interface Parcel {
  readonly drafts: readonly Encoded[];
  readonly name: string;
  readonly value: string;
}

/** Encodes drafts; the answers to those that cannot be are put in their places. */
export async function encodeDrafts(
  { clock, time, codec }: Parts,
  drafts: readonly Draft[],
  answers: Published[],
): Promise<readonly Encoded[]> {
  const now = clock.now();
  const isLater = ({ dueAt = 0 }: Draft): boolean => dueAt > now;
  if (drafts.some(isLater)) await time.known();
  const encoded: Encoded[] = [];
  for (const [place, draft] of drafts.entries()) {
    try {
      const due = isLater(draft) ? time.notBefore(draft.dueAt ?? 0) : 0;
      encoded.push({ place, draft, body: codec.encode(draft), due });
    } catch (error) {
      if (!(error instanceof MemqError)) throw error;
      answers[place] = { kind: "refused", code: error.code, reason: error.message };
    }
  }
  return encoded;
}

/** A group of drafts under a name that nobody else uses. */
export function parcelOf({ codec, clock }: Parts, name: string, drafts: readonly Encoded[]): Parcel {
  const bornAt = clock.now();
  const [first] = drafts;
  if (first !== undefined && drafts.length === 1 && first.due === 0) {
    return { drafts, name, value: freshText(bornAt, codec.seal(name, first.body)) };
  }
  const bundled = drafts.length > 1;
  const record: StoredRecord = {
    state: "ready",
    bornAt,
    due: first?.due ?? 0,
    marked: (first?.due ?? 0) > 0,
    writer: "",
    listed: false,
    bundled,
    members: drafts.map(({ body }, index) => ({
      text: codec.seal(bundled ? memberId(name, index) : name, body),
      attempts: 0,
    })),
  };
  return { drafts, name, value: encodeRecord(record) };
}

/** The operation that adds the record of a parcel. */
export const addingParcel = ({ keys }: Parts, epoch: string, { name, value }: Parcel): Operation => ({
  kind: "add",
  key: keys.record(epoch, name),
  value,
  casless: true,
});

/** How a parcel stands in a list. */
export const entryOf = ({ name, drafts }: Parcel): string =>
  entryText({ name, members: drafts.length, again: false });

/** One answer for each draft of each parcel: the refusal, or the id it has. */
export function answersOf(
  parcels: readonly (readonly [Parcel, Published | undefined])[],
): ReadonlyMap<number, Published> {
  const answers = new Map<number, Published>();
  for (const [{ drafts, name }, refusal] of parcels) {
    for (const [index, { place }] of drafts.entries()) {
      const id = drafts.length > 1 ? memberId(name, index) : name;
      answers.set(place, refusal ?? { kind: "kept", id });
    }
  }
  return answers;
}

/** Why a record was not added; undefined: it was. */
export function refusalOf(parts: Parts, answer: Answer | undefined): Published | undefined {
  switch (answer?.kind) {
    case "ok":
      return undefined;
    case "tooLarge":
      return {
        kind: "refused",
        code: "TASK_TOO_LARGE",
        reason: `memcached at ${parts.session.wire.server} takes no item that large (its option -I)`,
      };
    default:
      return full(parts);
  }
}

export const fullReason = ({ session, queue }: Parts): string =>
  `memcached at ${session.wire.server} has no memory for another task of queue "${queue}"`;

/** The answer to a draft for which there is no memory. */
export const full = (parts: Parts): Published => ({
  kind: "refused",
  code: "QUEUE_FULL",
  reason: fullReason(parts),
});

/** The names of the records of parcels. */
export const namesOf = (parcels: readonly Parcel[]): readonly string[] => parcels.map(({ name }) => name);

/** Takes records back that nobody lists, so that nobody else knows them. */
export async function takeBack(
  { session, keys }: Parts,
  epoch: string,
  names: readonly string[],
): Promise<void> {
  await session.ask(names.map((name) => ({ kind: "delete", key: keys.record(epoch, name) })));
}
