import { describe, expect, test } from "vitest";
import { MemqError } from "../../../src/errors.ts";
import { assertSupported, itemOptions, makeDraft, type PublishOptions } from "../../../src/publish/draft.ts";

const NOW = Date.UTC(2026, 0, 1, 12);
const call = { method: "push", args: ["a"] };
const draftWith = (options: PublishOptions): ReturnType<typeof makeDraft> => makeDraft(call, options, NOW);

function refusalOf(options: unknown): string | undefined {
  try {
    draftWith(options as PublishOptions);
    return undefined;
  } catch (error) {
    if (error instanceof MemqError) return error.code;
    throw error;
  }
}

test("an option that is refused is not told to be an argument", () => {
  for (const options of [{ key: "" }, { retries: -1 }, { timeout: 0 }, { at: "soon" }]) {
    expect(nextOf(options)).toContain("Correct the option");
  }
});

function nextOf(options: PublishOptions): string | undefined {
  try {
    draftWith(options);
    return undefined;
  } catch (error) {
    return (error as MemqError).next;
  }
}

test("a call without wishes is a draft without any", () => {
  expect(draftWith({})).toEqual(call);
  expect(draftWith({ onDuplicate: "keep" })).toEqual(call);
});

test("an option's class goes before the call's", () => {
  expect(makeDraft({ ...call, class: "A" }, {}, NOW).class).toBe("A");
  expect(makeDraft({ ...call, class: "A" }, { class: "B" }, NOW).class).toBe("B");
});

test("names that can never be called are refused", () => {
  expect(() => makeDraft({ method: "constructor", args: [] }, {}, NOW)).toThrow(/never be called/);
  expect(refusalOf({ class: "a b" })).toBe("CALL_INVALID");
});

describe("a due time", () => {
  test("is rounded up to the second, never down", () => {
    expect(draftWith({ delay: 1 }).dueAt).toBe(NOW + 1_000);
    expect(draftWith({ delay: "20m" }).dueAt).toBe(NOW + 1_200_000);
    expect(draftWith({ at: NOW + 1_001 }).dueAt).toBe(NOW + 2_000);
  });

  test("that has come is none", () => {
    for (const options of [
      { delay: 0 },
      { at: NOW },
      { at: 0 },
      { at: "1999-12-31" },
      { at: new Date(NOW) },
    ]) {
      expect(draftWith(options)).not.toHaveProperty("dueAt");
    }
  });

  test.each([
    ["2026-01-02T08:30:00Z", Date.UTC(2026, 0, 2, 8, 30)],
    ["2026-01-02 08:30:00+08:00", Date.UTC(2026, 0, 2, 0, 30)],
    ["2026-01-02T08:30+0800", Date.UTC(2026, 0, 2, 0, 30)],
    ["2026-01-02T08:30:00.5Z", Date.UTC(2026, 0, 2, 8, 30, 1)],
    ["2026-01-02T08:30", new Date(2026, 0, 2, 8, 30).getTime()],
    ["2026-02-03", new Date(2026, 1, 3).getTime()],
    ["2028-02-29", new Date(2028, 1, 29).getTime()],
  ])("is given as %s", (at, ms) => {
    expect(draftWith({ at }).dueAt).toBe(ms);
    expect(draftWith({ at: new Date(ms) }).dueAt).toBe(ms);
  });

  test.each([
    "",
    "tomorrow",
    "12:30",
    "2026-1-2",
    "2026-13-01",
    "2026-00-10",
    "2026-02-29",
    "2026-02-30T10:00",
    "2026-01-32",
    "2026-01-01T25:00",
    "2026-01-01T08:30Z; rm",
    "1767268800000",
  ])("is not %j", (at) => {
    expect(refusalOf({ at })).toBe("ARGS_INVALID");
  });

  test("is neither an invalid Date nor beyond all dates", () => {
    for (const at of [new Date("x"), Number.NaN, Infinity, 1e300])
      expect(refusalOf({ at })).toBe("ARGS_INVALID");
    expect(refusalOf({ delay: "1000000d" })).toBe("ARGS_INVALID");
  });

  test("is given one way only", () => {
    expect(refusalOf({ delay: "1s", at: NOW })).toBe("ARGS_INVALID");
  });
});

describe("a key", () => {
  test("has 1 to 1000 bytes", () => {
    expect(draftWith({ key: "订单:42" }).key).toBe("订单:42");
    expect(draftWith({ key: "k".repeat(1_000) }).key).toHaveLength(1_000);
    for (const key of ["", "k".repeat(1_001), "中".repeat(334)])
      expect(refusalOf({ key })).toBe("ARGS_INVALID");
  });

  test("is a whole text: half characters would be one and the same key", () => {
    for (const key of ["\ud800", "a\udc00b", 5, {}]) expect(refusalOf({ key })).toBe("ARGS_INVALID");
    expect(draftWith({ key: "🚀" }).key).toBe("🚀");
  });

  test("meets another task as keep, replace or error say", () => {
    expect(draftWith({ key: "k", onDuplicate: "replace" }).onDuplicate).toBe("replace");
    expect(draftWith({ key: "k", onDuplicate: "error" })).not.toHaveProperty("onDuplicate");
    expect(refusalOf({ key: "k", onDuplicate: "Replace" })).toBe("ARGS_INVALID");
  });
});

test("retries are a whole number from 0 to 1000", () => {
  expect(draftWith({ retries: 0 }).retries).toBe(0);
  for (const retries of [-1, 1.5, Number.NaN, 1_001]) expect(refusalOf({ retries })).toBe("ARGS_INVALID");
});

test("a timeout is longer than 0", () => {
  expect(draftWith({ timeout: "30s" }).timeoutMs).toBe(30_000);
  for (const timeout of [0, "0s", -1, "soon"]) expect(refusalOf({ timeout })).toBe("ARGS_INVALID");
});

test("what the broker cannot do is refused before it is asked", () => {
  const can = { durability: "memory", delay: false, keys: false, list: false } as const;
  const unsupported = expect.objectContaining({ code: "UNSUPPORTED" }) as unknown;
  expect(() => {
    assertSupported({ ...call, dueAt: 1 }, can, "q");
  }).toThrow(unsupported);
  expect(() => {
    assertSupported({ ...call, key: "k" }, can, "q");
  }).toThrow(unsupported);
  assertSupported(call, can, "q");
  assertSupported({ ...call, key: "k", dueAt: 1 }, { ...can, delay: true, keys: true }, "q");
});

test("an item's own time takes the place of the time of all, however either is given", () => {
  expect(itemOptions({ delay: "1h", key: "k" }, { at: NOW })).toEqual({ at: NOW, key: "k" });
  expect(itemOptions({ at: NOW }, { delay: "1h" })).toEqual({ delay: "1h" });
  expect(itemOptions({ delay: "1h", retries: 2 }, { retries: 1 })).toEqual({ delay: "1h", retries: 1 });
});
