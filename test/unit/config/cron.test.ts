import { Cron } from "croner";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CRON } from "../../../src/config/cadence.ts";

const isCron = (text: string): boolean => "value" in CRON.read(text);

describe("a cron expression", () => {
  test.each([
    "* * * * *",
    "*/10 * * * *",
    "0,15,30,45 * * * *",
    "5-50/15 8-18 * * mon-fri",
    "0 0 1 JAN,jul *",
    "30 1 * * 7",
    "30 1 * * sun",
    "00 07 * * *",
    "0 0 29 2 *",
    "0 0 31 2 1", // a Monday in February is enough
    "*/59 */23 */30 */11 */6",
    "@hourly",
    "@daily",
    "@midnight",
    "@weekly",
    "@monthly",
    "@yearly",
    "@annually",
  ])("is %s, and the calendar agrees", (text) => {
    expect(isCron(text)).toBe(true);
    expect(new Cron(text, { paused: true }).nextRun()).toBeInstanceOf(Date);
  });

  test.each([
    "",
    "* * * *",
    "* * * * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * 32 * *",
    "* * * 0 *",
    "* * * 13 *",
    "* * * * 8",
    "*/0 * * * *",
    "*/60 * * * *",
    "*/70 * * * *",
    "* */24 * * *",
    "5/15 * * * *",
    "30-10 * * * *",
    "* * * * fri-mon",
    "1,,2 * * * *",
    ",1 * * * *",
    "*-5 * * * *",
    "-1 * * * *",
    "mon * * * *",
    "* * * january *",
    "* * L * *",
    "* * * * 1#2",
    "? * * * *",
    "1e1 * * * *",
    "@reboot",
    "@sometimes",
    "0 0 30 2 *",
    "0 0 31 4,6,9,11 *",
  ])("is not %j", (text) => {
    expect(isCron(text)).toBe(false);
  });

  test("has no more than its five fields, however many there are", () => {
    expect(isCron("* ".repeat(100_000))).toBe(false);
    expect(isCron(`${"1,".repeat(100_000)}1 * * * *`)).toBe(false);
  });

  test("that is none says which field is at fault", () => {
    expect(CRON.read("0 25 * * *")).toEqual({
      fault:
        'is not a cron expression: its hour is "25" (0 to 23; five fields: minute hour day month weekday, e.g. */10 * * * *)',
    });
  });

  test("has its blanks made one", () => {
    expect(CRON.read("  0   1 * *\t* ")).toEqual({ value: "0 1 * * *" });
  });

  test("that is accepted is accepted by the calendar, whatever it is made of", () => {
    const piece = fc.constantFrom(
      "*",
      "0",
      "1",
      "5",
      "7",
      "12",
      "23",
      "31",
      "59",
      "60",
      "-",
      "/",
      ",",
      "mon",
      "feb",
    );
    const field = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom("*", "*/2", "1-5", "1,3", "1-7/2", "0", "12") },
      fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join("")),
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(field, { minLength: 5, maxLength: 5 }), (fields) => {
        const text = fields.join(" ");
        if (!isCron(text)) return;
        accepted++;
        expect(() => new Cron(text, { paused: true })).not.toThrow();
      }),
      { numRuns: 2_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });
});
