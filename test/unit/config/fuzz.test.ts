import fc from "fast-check";
import { parse } from "ini";
import { describe, expect, test } from "vitest";
import { configOf } from "../../../src/config/load.ts";
import type { ConfigInput } from "../../../src/config/object.ts";
import { scan } from "../../../src/config/scan.ts";
import { QUEUE_SETTINGS } from "../../../src/config/schema.ts";
import { MemqError } from "../../../src/errors.ts";
import { inspect, read } from "./written.ts";
import { cpuMs } from "../../cpu-time.ts";

/** Whether `act` ends well or with an error of ours; anything else is thrown on. */
function endsWell(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof MemqError && error.code === "CONFIG_INVALID") return false;
    throw error;
  }
}

const keys = Object.keys(QUEUE_SETTINGS);
const piece = fc.constantFrom(
  ...keys, "=", " = ", " ", "\n", "\r\n", "[", "]", "[queue.", "[queue.a]\n", "[schedule.", "[event.", ";", "#", '"', "'",
  "\\", "none", "env:", "5s", "60 sec", "1KB", "on", "off", "1", "0", "-1", "*/10 * * * *", "a", ".", ":", "__proto__",
  "task[]", "constructor", "\u0000", "\ufeff", "\u2028", "中", "\ud83d", ",",
); // prettier-ignore
const nearlyIni = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(""));

describe("a file of", () => {
  test("random bytes is read, or is a CONFIG_INVALID", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        endsWell(() => read(bytes));
      }),
      { numRuns: 500 },
    );
  });

  test("random text is read, or is a CONFIG_INVALID", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        endsWell(() => read(text));
      }),
      { numRuns: 500 },
    );
  });

  test("pieces of a config.ini is read, or is a CONFIG_INVALID", () => {
    let good = 0;
    fc.assert(
      fc.property(nearlyIni, (text) => {
        if (endsWell(() => read(text, { env: { "": "x", a: "y" } }))) good++;
      }),
      { numRuns: 1_000 },
    );
    expect(good).toBeGreaterThan(5);
  });

  test("anything has either a configuration or an error, and each fault one line", () => {
    fc.assert(
      fc.property(nearlyIni, (text) => {
        const { config, error, faults } = inspect(text);
        expect(config ?? error).toBeDefined();
        expect(error === undefined).toBe(faults.length === 0);
        const lines = Math.min(faults.length, 20) + (faults.length > 20 ? 2 : 1);
        if (error !== undefined) expect(error.message.split(/[\n\r\u2028]/)).toHaveLength(lines);
      }),
      { numRuns: 500 },
    );
  });
});

test("a key may have any value of the environment, or it is a CONFIG_INVALID", () => {
  const value = fc.oneof(fc.string({ unit: "binary" }), piece);
  fc.assert(
    fc.property(fc.constantFrom(...keys), value, (key, text) => {
      const name = `MEMQ_${key.toUpperCase().replaceAll("-", "_")}`;
      endsWell(() => read("", { env: { [name]: text } }));
    }),
  );
});

test("any object is read, or is a CONFIG_INVALID", () => {
  const value = fc.oneof(fc.anything(), piece);
  const section = fc.dictionary(
    fc.oneof(fc.constantFrom(...keys, "cron", "call", "on", "task"), fc.string()),
    value,
  );
  const input = fc.oneof(
    fc.anything(),
    fc.record({ queue: fc.oneof(fc.dictionary(piece, section), fc.anything()), timeout: value }),
    fc.record({ event: fc.dictionary(fc.string(), section), schedule: fc.dictionary(piece, section) }),
  );
  fc.assert(
    fc.property(input, (object) => {
      endsWell(() => configOf(object as ConfigInput, { cwd: "/", env: {} }));
    }),
    { numRuns: 500 },
  );
});

describe("what is read without fault", () => {
  // Quotes and escapes aside, where the grammar keeps quotes or loses backslashes.
  const plain = fc
    .array(fc.constantFrom("a", "1", " ", ".", ",", "/", "=", "中", ";", "#", " ;", " # ", "\t"), {
      maxLength: 12,
    })
    .map((parts) => parts.join(""));

  test("is what the INI grammar reads", () => {
    let compared = 0;
    fc.assert(
      fc.property(fc.array(plain, { minLength: 1, maxLength: 5 }), (values) => {
        const text = values.map((value, index) => `k${String(index)} =${value}`).join("\n");
        const { top, faults } = scan(text);
        if (faults.length > 0) return;
        compared++;
        const read = Object.fromEntries(top.entries.map(({ key, text: value }) => [key, value]));
        expect(read).toEqual({ ...parse(text) });
      }),
      { numRuns: 2_000 },
    );
    expect(compared).toBeGreaterThan(50);
  });

  test("is what was written, for any text between double quotes", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (value) => {
        const { top, faults } = scan(`k = ${JSON.stringify(value)} ; note`);
        expect(faults).toEqual([]);
        expect(top.entries[0]?.text).toBe(value);
      }),
    );
  });
});

describe("a value of a million characters", () => {
  const length = 1_000_000;
  const patterns = ["1", "1s", "a ", '"', "\\a", "\\\\", "a.", "1,", "1s,", "/", "*"];

  // What looks at every character again for every character would take a million times a millisecond.
  const MOST_CPU_MS = 10_000;

  test("of any kind takes no more work than its length", () => {
    const slow: string[] = [];
    for (const start of ["", '"', "'"]) {
      for (const pattern of patterns) {
        const value = start + pattern.repeat(length / pattern.length);
        const before = cpuMs();
        endsWell(() => read(`timeout = ${value}`));
        endsWell(() => configOf(Object.fromEntries(keys.map((key) => [key, value])), { cwd: "/", env: {} }));
        if (cpuMs() - before > MOST_CPU_MS) slow.push(start + pattern);
      }
    }
    expect(slow).toEqual([]);
  }, 120_000);
});
