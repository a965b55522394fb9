import { parseDuration } from "../task/duration.ts";
import type { Reading, ValueType } from "./reading.ts";

/** From when on a queue is worth a warning; undefined = never for that reason. */
export interface Thresholds {
  /** This many tasks waiting. */
  readonly waiting?: number;
  /** The oldest waiting task is this old, in ms. */
  readonly oldestMs?: number;
}

const FAULT = "is not a limit such as 10000 waiting, 30m oldest";

export const THRESHOLDS: ValueType<Thresholds> = { name: "`N waiting`, `D oldest`", read: readThresholds };

function readThresholds(text: string): Reading<Thresholds> {
  let limits: Thresholds = {};
  for (const part of text.split(",")) {
    const limit = readLimit(part.trim());
    if (limit === undefined) return { fault: FAULT };
    if (Object.keys(limit).some((key) => key in limits))
      return { fault: `${FAULT}: one limit stands there twice` };
    limits = { ...limits, ...limit };
  }
  return { value: limits };
}

function readLimit(part: string): Thresholds | undefined {
  const [, amount = "", word = ""] = /^(\S+) +(waiting|oldest)$/.exec(part) ?? [];
  if (word === "waiting") return /^[1-9]\d{0,11}$/.test(amount) ? { waiting: Number(amount) } : undefined;
  const oldestMs = parseDuration(amount);
  return oldestMs === undefined || oldestMs === 0 ? undefined : { oldestMs };
}
