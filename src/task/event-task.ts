import { MemqError } from "../errors.ts";
import { checkedCall } from "./call.ts";
import { durationMs } from "./duration.ts";

/** A task that an event becomes. */
export interface EventTask {
  readonly method: string;
  readonly class?: string;
  /** Undefined: the queue that the top-level keys describe. */
  readonly queue?: string;
  /** How long after the event, in ms. */
  readonly delayMs?: number;
}

const LIKE = "such as closeOrder @default after 20m";

/**
 * Reads `closeOrder @default after 20m`: a method (`Mailer.send` names the class too), `@` and a queue, `after` and
 * a duration, in this order; the last two may be left out. @throws MemqError CALL_INVALID, ARGS_INVALID
 */
export function readEventTask(text: string): EventTask {
  const [, target, queue, delay] = SHAPE.exec(text.trim()) ?? [];
  if (target === undefined) throw malformed(shapeFault(text.trim().split(/\s+/)));
  return {
    ...readTarget(target),
    ...(queue !== undefined && { queue }),
    ...(delay !== undefined && { delayMs: durationMs(delay) }),
  };
}

const SHAPE = /^([^\s@]\S*)(?:\s+@(\S+))?(?:\s+after\s+(\S+))?$/;

function shapeFault([first = "", ...rest]: readonly string[]): string {
  if (first === "" || first.startsWith("@")) return "begins with a method";
  const queue = rest.findIndex((word) => word.startsWith("@"));
  if (rest[queue] === "@") return "has an @ without a queue";
  if (queue > 0) return "names its queue right behind its method, and one only";
  if (rest.at(-1) === "after") return "has an after without a duration";
  return `has no use for "${rest.find((word) => !word.startsWith("@")) ?? first}"`;
}

function readTarget(target: string): Pick<EventTask, "method" | "class"> {
  const dot = target.indexOf(".");
  const [className, method] =
    dot === -1 ? [undefined, target] : [target.slice(0, dot), target.slice(dot + 1)];
  if (/[('"]/.test(target)) throw malformed("is a method alone: it is given what the event says");
  checkedCall({ method, args: [], ...(className !== undefined && { class: className }) });
  return { method, ...(className !== undefined && { class: className }) };
}

const malformed = (what: string): MemqError => new MemqError("CALL_INVALID", `it ${what} (${LIKE})`);

/** The same as one would write it. */
export function eventTaskText({ method, class: className, queue, delayMs }: EventTask): string {
  const target = className === undefined ? method : `${className}.${method}`;
  return [
    target,
    ...(queue === undefined ? [] : [`@${queue}`]),
    ...(delayMs === undefined ? [] : [`after ${writtenDuration(delayMs)}`]),
  ].join(" ");
}

/** `20m`, `1h30m`: exact, and readable by who reads durations. */
function writtenDuration(ms: number): string {
  const units = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
    ["ms", 1],
  ] as const;
  let rest = ms;
  const parts = units.flatMap(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count === 0 ? [] : [`${String(count)}${unit}`];
  });
  return parts.length === 0 ? "0s" : parts.join("");
}
