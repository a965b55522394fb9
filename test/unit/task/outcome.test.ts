import { describe, expect, test } from "vitest";
import { giveUp, pauseQueue, retryLater, verbOf } from "../../../src/task/outcome.ts";

describe("a verb", () => {
  test("is an error with its reason, so that a handler throws it", () => {
    for (const verb of [retryLater("busy"), giveUp("busy"), pauseQueue("busy", { for: 1 })]) {
      expect(verb).toBeInstanceOf(Error);
      expect(verb.message).toBe("busy");
    }
  });

  test("carries its wishes in ms", () => {
    expect(verbOf(retryLater("x"))).toEqual({ kind: "retryLater" });
    expect(verbOf(retryLater("x", { times: 3, delay: "5m" }))).toEqual({
      kind: "retryLater",
      times: 3,
      delayMs: 300_000,
    });
    expect(verbOf(giveUp("x"))).toEqual({ kind: "giveUp" });
    expect(verbOf(pauseQueue("x", { for: "1h" }))).toEqual({ kind: "pauseQueue", forMs: 3_600_000 });
  });

  test("of another copy of the package is known too", () => {
    const foreign = Object.assign(new Error("x"), { [Symbol.for("memq.verb")]: { kind: "giveUp" } });
    expect(verbOf(foreign)).toEqual({ kind: "giveUp" });
  });

  test("with a wish that is none is refused where it is made", () => {
    const invalid = expect.objectContaining({ code: "ARGS_INVALID" }) as unknown;
    for (const times of [-1, 1.5, Number.NaN, Infinity, 1_001])
      expect(() => retryLater("x", { times })).toThrow(invalid);
    expect(() => retryLater("x", { delay: "soon" })).toThrow(invalid);
    expect(() => pauseQueue("x", { for: -1 })).toThrow(invalid);
  });
});

test("whatever else is thrown is no verb, and is not run", () => {
  let reads = 0;
  const sneaky = {
    get [Symbol.for("memq.verb")]() {
      return ++reads;
    },
  };
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  for (const thrown of [undefined, null, "x", 5, {}, new Error("x"), sneaky, proxy, () => 1]) {
    expect(verbOf(thrown)).toBeUndefined();
  }
  expect(reads).toBe(0);
});
