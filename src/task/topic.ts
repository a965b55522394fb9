import { MemqError } from "../errors.ts";

// As AMQP's short strings, so that an event can travel over one.
const MAX_TOPIC_BYTES = 255;
// A line of a log or of a list must stay one.
const UNPRINTABLE = /\p{C}/u;

/** An event's words stand between dots; the empty event has none. */
const wordsOf = (topic: string): readonly string[] => (topic === "" ? [] : topic.split("."));

const isWild = (word: string): boolean => word === "*" || word === "#";

/**
 * Whether a pattern is meant by an event, by the rules of AMQP: `*` stands for one word, `#` for any number of
 * them, none included. Takes no longer than the lengths of both, multiplied.
 */
export function matchesTopic(pattern: string, event: string): boolean {
  const words = wordsOf(event);
  // Which numbers of words, from the first on, the pattern so far can stand for.
  let reached = [true, ...words.map(() => false)];
  for (const part of wordsOf(pattern))
    reached = part === "#" ? andMore(reached) : andOne(reached, part, words);
  return reached[words.length] === true;
}

const andMore = (reached: readonly boolean[]): boolean[] => {
  const first = reached.indexOf(true);
  return reached.map((_, count) => first !== -1 && count >= first);
};

const andOne = (reached: readonly boolean[], part: string, words: readonly string[]): boolean[] => [
  false,
  ...words.map((word, index) => reached[index] === true && (part === "*" || part === word)),
];

/** Whether a topic stands for more events than the one of its name. */
export const isPattern = (topic: string): boolean => wordsOf(topic).some(isWild);

/** Why nobody can listen to it; undefined: somebody can. */
export function topicFault(topic: string): string | undefined {
  if (Buffer.byteLength(topic) > MAX_TOPIC_BYTES) return `is longer than ${String(MAX_TOPIC_BYTES)} bytes`;
  if (UNPRINTABLE.test(topic)) return "holds what cannot be printed";
  const half = wordsOf(topic).find((word) => /[*#]/.test(word) && !isWild(word));
  if (half === undefined) return undefined;
  return `has "${half}" for a word: * and # stand for whole words, between dots (order.*)`;
}

/** The event itself, when it can be one. @throws MemqError ARGS_INVALID */
export function checkedEvent(event: string): string {
  const fault = typeof event === "string" ? (topicFault(event) ?? wildFault(event)) : "is not a text";
  if (fault === undefined) return event;
  throw new MemqError("ARGS_INVALID", `event ${JSON.stringify(event)} ${fault}`);
}

const wildFault = (event: string): string | undefined =>
  isPattern(event) ? "is a pattern: those are for who listens" : undefined;
