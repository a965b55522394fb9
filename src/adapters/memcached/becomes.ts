import type { Member, Run, StoredRecord } from "./record.ts";

// An error is for people; a whole dump would outweigh the task.
const MAX_ERROR_CHARS = 4_096;
const cut = (text: string): string => text.slice(0, MAX_ERROR_CHARS);

/** How an attempt that failed is written down. */
export interface Failure {
  readonly attempts: number;
  readonly error: string;
  readonly writer: string;
  /** Of a retry. */
  readonly askedFrom?: number | undefined;
}

/** Who has a record, and what it has charged so far: `attempts` by the place of the member. */
export interface Mark {
  readonly run: Run;
  readonly attempts: ReadonlyMap<number, number>;
}

/** What becomes of a record: one function per step of its life. */
export const becomes = {
  /** Attempts are on record before the handler is called; what others have charged meanwhile is never taken back. */
  marked: (record: StoredRecord, { run, attempts }: Mark): StoredRecord => ({
    ...record,
    marked: true,
    run,
    members: record.members.map((member, index) => ({
      ...member,
      attempts: Math.max(attempts.get(index) ?? 0, member.attempts),
    })),
  }),

  /** Settled members leave a bundle. */
  without: (record: StoredRecord, gone: ReadonlySet<number>): StoredRecord => ({
    ...record,
    members: record.members.map((member, index) => (gone.has(index) ? left(member) : member)),
  }),

  /** A member that was cancelled; nothing else changes, so whoever has the bundle sees that. */
  lacking: (record: StoredRecord, index: number): StoredRecord => {
    const members = record.members.map((member, at) => (at === index ? left(member) : member));
    return members.every(({ text }) => text === undefined) ? cancelled(record) : { ...record, members };
  },

  /** `due`: second of the server's time, 0 = at once. */
  retried: (record: StoredRecord, due: number, failure: Failure): StoredRecord => ({
    ...unasked(idle(record)),
    ...(failure.askedFrom !== undefined && { askedFrom: failure.askedFrom }),
    due,
    writer: failure.writer,
    error: cut(failure.error),
    members: charged(record.members, failure.attempts),
  }),

  buried: (record: StoredRecord, buriedAt: number, failure: Failure): StoredRecord => ({
    ...idle(record),
    state: "dead",
    due: 0,
    buriedAt,
    writer: failure.writer,
    error: cut(failure.error),
    members: charged(record.members, failure.attempts),
  }),

  /** Nobody has it any more; what was charged stays. */
  freed: (record: StoredRecord): StoredRecord => idle(record),

  /** A start that did not happen is not charged; whoever was suspected stays so. */
  uncharged: (record: StoredRecord, index: number, run: Run | undefined): StoredRecord => {
    const { run: _had, ...rest } = record;
    const members = record.members.map((member, at) =>
      at === index ? { ...member, attempts: Math.max(0, member.attempts - 1) } : member,
    );
    return { ...rest, marked: true, ...(run && { run }), members };
  },

  cancelled,

  putBack: (record: StoredRecord, writer: string): StoredRecord => {
    const { buriedAt: _at, error: _error, ...rest } = unasked(idle(record));
    return { ...rest, state: "ready", due: 0, writer, listed: false, members: charged(record.members, 0) };
  },

  listed: (record: StoredRecord): StoredRecord => ({ ...record, listed: true }),

  /** The record of its own that a member gets when it leaves its bundle unfinished. */
  child: (record: StoredRecord, index: number): StoredRecord => ({
    state: "ready",
    bornAt: record.bornAt,
    due: 0,
    marked: true,
    writer: "",
    listed: false,
    bundled: false,
    members: [{ text: record.members[index]?.text ?? "", attempts: record.members[index]?.attempts ?? 0 }],
  }),
};

function cancelled(record: StoredRecord): StoredRecord {
  return { ...record, state: "cancelled", bundled: false, members: [{ text: "", attempts: 0 }] };
}

const left = ({ attempts }: Member): Member => ({ attempts });

const charged = (members: readonly Member[], attempts: number): readonly Member[] =>
  members.map((member) => ({ ...member, attempts }));

/** Nobody has it, and it must be marked before it is started. */
function idle(record: StoredRecord): Omit<StoredRecord, "run"> {
  const { run: _run, ...rest } = record;
  return { ...rest, marked: true };
}

function unasked<T extends StoredRecord>(record: T): Omit<T, "askedFrom"> {
  const { askedFrom: _asked, ...rest } = record;
  return rest;
}

/** Whether only a cancel came between: the same state, written by the same party, with the same charges. */
export function isSameLife(one: StoredRecord, other: StoredRecord): boolean {
  const isSameState =
    other.state === "cancelled" || (one.state === other.state && one.members.every(isCharged(other.members)));
  const isSameWrite = one.writer === other.writer && one.nonce === other.nonce && one.due === other.due;
  return isSameState && isSameWrite && isSameRun(one.run, other.run);
}

const isSameRun = (one: Run | undefined, other: Run | undefined): boolean =>
  one?.stake === other?.stake && one?.generation === other?.generation;

const isCharged =
  (members: readonly Member[]) =>
  ({ attempts }: Member, index: number): boolean =>
    members[index]?.attempts === attempts;
