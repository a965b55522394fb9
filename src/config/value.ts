import { parseDuration } from "../task/duration.ts";
import type { Reading, ValueType } from "./reading.ts";
import { parseSize } from "./size.ts";

const NO_DURATION = "is not a duration (try 60s or 5m)";
const MAX_RETRY_WAITS = 100; // more attempts than that is a loop, not a policy
const MAX_SIZE_BYTES = 64 * 1_024 ** 2; // a task is held in memory several times over while it is handled
const MAX_TEXT_LENGTH = 10_000;
const MAX_CREDENTIAL_BYTES = 255; // RFC 4616 bounds both
const ENV_NAME = /^env:([A-Za-z_][A-Za-z0-9_]*)$/;

const inMs = (value: number): string => `${String(value)}ms`;

/** A time span that is not zero; ms. */
export const DURATION: ValueType<number> = { name: "duration", read: readDuration, ofNumber: inMs };

function readDuration(text: string): Reading<number> {
  const ms = parseDuration(text);
  if (ms === undefined) return { fault: NO_DURATION };
  return ms > 0 ? { value: ms } : { fault: "is no time at all (try 60s or 5m)" };
}

/** Waits between attempts, in ms; `none` is the empty list. */
export const WAITS: ValueType<readonly number[]> = { name: "durations", read: readWaits, ofNumber: inMs };

function readWaits(text: string): Reading<readonly number[]> {
  if (text === "none") return { value: [] };
  const parts = text.split(",").map((part) => part.trim());
  if (parts.length > MAX_RETRY_WAITS) return { fault: `has more than ${String(MAX_RETRY_WAITS)} waits` };
  const waits = parts.map(parseDuration);
  const bad = waits.indexOf(undefined);
  if (bad === -1) return { value: waits.filter((ms) => ms !== undefined) };
  return {
    fault: `is not a list of durations: look at ${JSON.stringify(parts[bad])} (try 10s, 1m, 10m or none)`,
  };
}

/** How long something is kept, in ms; `off` is undefined. */
export const KEEPING: ValueType<number | undefined> = {
  name: "duration or off",
  read: (text) => {
    if (text === "off") return { value: undefined };
    const reading = readDuration(text);
    return "value" in reading ? reading : { fault: "is neither off nor a duration (try 1h)" };
  },
  ofNumber: inMs,
};

/** A whole number within limits, both included. */
export const count = (min: number, max: number): ValueType<number> => ({
  name: `${String(min)} to ${String(max)}`,
  read: (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return { value };
    return { fault: `is not a whole number from ${String(min)} to ${String(max)}` };
  },
});

/** Bytes. */
export const SIZE: ValueType<number> = {
  name: "size",
  read: (text) => {
    const bytes = parseSize(text);
    if (bytes === undefined) return { fault: "is not a size (try 900KB or 1MB)" };
    if (bytes === 0) return { fault: "would refuse every task (try 900KB)" };
    return bytes <= MAX_SIZE_BYTES ? { value: bytes } : { fault: "is more than 64MB" };
  },
  ofNumber: (value) => `${String(value)}B`,
};

const BUNDLE_TASKS = count(1, 1_024);

export const BUNDLE: ValueType<"auto" | number> = {
  name: "auto, or 1 to 1024",
  read: (text) => {
    if (text === "auto") return { value: text };
    const reading = BUNDLE_TASKS.read(text);
    return "value" in reading ? reading : { fault: "is neither auto nor a whole number from 1 to 1024" };
  },
};

export const SWITCH: ValueType<boolean> = {
  name: "on or off",
  read: (text) =>
    text === "on" || text === "off" ? { value: text === "on" } : { fault: "is neither on nor off" },
};

/** One of a few words. */
export function choice<T extends string>(...words: readonly T[]): ValueType<T> {
  const name = words.join(", ");
  return {
    name: `one of ${name}`,
    read: (text) => {
      const word = words.find((candidate) => candidate === text);
      return word === undefined ? { fault: `is not one of ${name}` } : { value: word };
    },
  };
}

export const TEXT: ValueType<string> = {
  name: "text",
  read: (text) =>
    text.length <= MAX_TEXT_LENGTH
      ? { value: text }
      : { fault: `is longer than ${String(MAX_TEXT_LENGTH)} characters` },
};

/** A user name or a password, as SASL PLAIN can carry it. */
export const CREDENTIAL: ValueType<string> = {
  name: "text",
  read: (text) =>
    Buffer.byteLength(text) <= MAX_CREDENTIAL_BYTES && !text.includes("\0")
      ? { value: text }
      : { fault: `is longer than ${String(MAX_CREDENTIAL_BYTES)} bytes, or holds a NUL` },
};

/** A file or folder, as written: relative paths are resolved against config.ini's folder later. */
export const PATH: ValueType<string> = {
  name: "path",
  read: (text) => {
    if (/^[~$]/.test(text))
      return { fault: "starts with ~ or $, which only a shell expands (write the whole path)" };
    return text.includes("\0") ? { fault: "is not a path" } : { value: text };
  },
};

/** The variable that a value such as `env:PUSH_SECRET` names; undefined for any other text. */
export const variableIn = (text: string): string | undefined => ENV_NAME.exec(text)?.[1];
