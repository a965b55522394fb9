/**
 * A record: one task, or a bundle of tasks that were published together, with what became of it so far. A line
 * of words, then the texts: docs/memcached-layout.md. Never edited: every step of its life makes a new one.
 */
export interface StoredRecord {
  readonly state: "ready" | "dead" | "cancelled";
  /** In ms. */
  readonly bornAt: number;
  /** Not before this second of the server's time; 0 = at once. */
  readonly due: number;
  /** It must be marked before it is started. */
  readonly marked: boolean;
  /** The claim that has marked it last, and has it still. */
  readonly run?: Run;
  /** Who wrote this state: tells one's own write from another's. */
  readonly writer: string;
  /** Tells the tasks of one key apart. */
  readonly nonce?: string;
  /** A keyed record that is known to stand in a list. */
  readonly listed: boolean;
  /** In ms. */
  readonly buriedAt?: number;
  readonly error?: string;
  /** Of the last retry of its one task. */
  readonly askedFrom?: number;
  readonly bundled: boolean;
  readonly members: readonly Member[];
}

export interface Run {
  readonly stake: string;
  readonly generation: number;
}

export interface Member {
  /** As the codec sealed it; undefined when it has left the bundle. */
  readonly text?: string | undefined;
  /** Attempts charged. */
  readonly attempts: number;
}

// Any change: add 1, keep a reader for the old one, add a fixture. A word more, which who does not know it may forget,
// is none.
const RECORD_VERSION = 1;

const STATE_LETTER = { ready: "r", dead: "x", cancelled: "c" } as const;
const STATES = { r: "ready", x: "dead", c: "cancelled" } as const;
const GONE = "-";

// The last moment that a Date can tell: people are shown these times.
const LAST_MS = 8.64e15;
const LAST_SECOND = 999_999_999_999; // twelve digits, as a bucket has them: in the year 33658

// A record with more was never published: each of its tasks would cost a round trip, or a dead letter.
const MOST_MEMBERS = 1_000;
const MOST_ATTEMPTS = 2 ** 52; // one more is still a whole number

/** A new record of one task that may be run at once: the shortest there is. */
export const freshText = (bornAt: number, text: string): string =>
  `${String(RECORD_VERSION)} r ${bornAt.toString(36)}\n${text}`;

export function encodeRecord(record: StoredRecord): string {
  const words = [String(RECORD_VERSION), STATE_LETTER[record.state], record.bornAt.toString(36)];
  const say = (word: string, value: string | number | undefined): void => {
    if (value !== undefined) words.push(`${word}=${String(value)}`);
  };
  say("d", record.due === 0 ? undefined : record.due);
  say("m", record.marked ? 1 : undefined);
  say("a", attemptsText(record.members));
  say("r", record.run && `${record.run.stake}.${String(record.run.generation)}`);
  say("w", record.writer === "" ? undefined : record.writer);
  say("k", record.nonce);
  say("h", record.listed ? 1 : undefined);
  say("x", record.buriedAt);
  say("i", record.askedFrom);
  say("e", record.error?.length);
  if (record.bundled) say("l", record.members.map(lengthText).join("."));
  const texts = record.members.map((member) => member.text ?? "").join("");
  return `${words.join(" ")}\n${record.error ?? ""}${texts}`;
}

const lengthText = ({ text }: Member): string => (text === undefined ? GONE : String(text.length));

function attemptsText(members: readonly Member[]): string | undefined {
  if (members.every((member) => member.attempts === 0)) return undefined;
  return members.map((member) => member.attempts).join(".");
}

/** What the bytes of a record are. Never throws. */
export type DecodedRecord =
  { readonly kind: "record"; readonly record: StoredRecord } | { readonly kind: "newer" | "broken" };

export function decodeRecord(bytes: Buffer): DecodedRecord {
  const plain = decodeFresh(bytes);
  if (plain !== undefined) return { kind: "record", record: plain };
  const text = bytes.toString("utf8");
  const line = text.indexOf("\n");
  const [version = "", letter = "", born = "", ...words] = text.slice(0, Math.max(0, line)).split(" ");
  if (/^\d+$/.test(version) && Number(version) > RECORD_VERSION) return { kind: "newer" };
  const state = STATES[letter as keyof typeof STATES] as StoredRecord["state"] | undefined;
  const bornAt = parseInt(born, 36);
  const isOurs = version === String(RECORD_VERSION) && state !== undefined && isUpTo(LAST_MS)(bornAt);
  return isOurs ? decodeWords({ state, bornAt }, words, text.slice(line + 1)) : { kind: "broken" };
}

const FRESH = Buffer.from(`${String(RECORD_VERSION)} r `);
const LINE_FEED = 10;
const MOST_DIGITS = 10; // of a time in base 36

/** A record that nothing was ever done with: most are, so this way is short. Undefined: it is another one. */
function decodeFresh(bytes: Buffer): StoredRecord | undefined {
  for (let at = 0; at < FRESH.length; at++) if (bytes[at] !== FRESH[at]) return undefined;
  let bornAt = 0;
  for (let at = FRESH.length; at <= FRESH.length + MOST_DIGITS; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === LINE_FEED && at > FRESH.length) {
      const text = bytes.toString("utf8", at + 1);
      return freshRecord(bornAt, text);
    }
    const digit = digitOf(byte);
    if (digit === undefined) return undefined;
    bornAt = bornAt * 36 + digit;
  }
  return undefined;
}

// Every field by itself: a spread takes ten times as long, and this is done for every task.
const freshRecord = (bornAt: number, text: string): StoredRecord => ({
  state: "ready",
  bornAt,
  due: 0,
  marked: false,
  writer: "",
  listed: false,
  bundled: false,
  members: [{ text, attempts: 0 }],
});

/** The value of a digit of base 36, 0-9 and a-z. */
function digitOf(byte: number): number | undefined {
  if (byte >= 48 && byte <= 57) return byte - 48;
  return byte >= 97 && byte <= 122 ? byte - 87 : undefined;
}

function decodeWords(
  head: Pick<StoredRecord, "state" | "bornAt">,
  words: readonly string[],
  body: string,
): DecodedRecord {
  const said = new Map(words.map((word) => [word.slice(0, 1), word.slice(2)] as const));
  const numbers = {
    due: numberIn(said, "d"),
    buriedAt: numberIn(said, "x"),
    error: numberIn(said, "e"),
    askedFrom: numberIn(said, "i"),
  };
  const members = membersOf(body.slice(numbers.error), splitIn(said, "l"), splitIn(said, "a"));
  if (members === undefined || !arePossible(numbers)) return { kind: "broken" };
  const run = runOf(said.get("r"));
  const nonce = said.get("k");
  const record: StoredRecord = {
    ...head,
    due: numbers.due,
    marked: said.has("m"),
    ...(run && { run }),
    writer: said.get("w") ?? "",
    ...(nonce !== undefined && { nonce }),
    listed: said.has("h"),
    ...(said.has("x") && { buriedAt: numbers.buriedAt }),
    ...(isUpTo(MOST_ATTEMPTS)(numbers.askedFrom) &&
      numbers.askedFrom > 0 && { askedFrom: numbers.askedFrom }),
    ...(said.has("e") && { error: body.slice(0, numbers.error) }),
    bundled: said.has("l"),
    members,
  };
  return { kind: "record", record };
}

const numberIn = (said: ReadonlyMap<string, string>, word: string): number => Number(said.get(word) ?? 0);

const splitIn = (said: ReadonlyMap<string, string>, word: string): readonly string[] | undefined =>
  said.get(word)?.split(".", MOST_MEMBERS + 1);

const isUpTo =
  (most: number) =>
  (value: number): boolean =>
    isCount(value) && value <= most;

const arePossible = ({ due, buriedAt, error }: Record<"due" | "buriedAt" | "error", number>): boolean =>
  isUpTo(LAST_SECOND)(due) && isUpTo(LAST_MS)(buriedAt) && isCount(error);

function runOf(text: string | undefined): Run | undefined {
  const [stake = "", generation] = text?.split(".") ?? [];
  return generation === undefined ? undefined : { stake, generation: Number(generation) };
}

function membersOf(
  texts: string,
  lengths: readonly string[] | undefined,
  charges: readonly string[] = [],
): readonly Member[] | undefined {
  const attempts = charges.map(Number);
  if (!attempts.every(isUpTo(MOST_ATTEMPTS)) || (lengths?.length ?? 0) > MOST_MEMBERS) return undefined;
  if (lengths === undefined) return [{ text: texts, attempts: attempts[0] ?? 0 }];
  let from = 0;
  const members = lengths.map((length, index): Member => {
    const charged = attempts[index] ?? 0;
    if (length === GONE) return { attempts: charged };
    const text = texts.slice(from, (from += Number(length)));
    return { text, attempts: charged };
  });
  return from === texts.length ? members : undefined;
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
