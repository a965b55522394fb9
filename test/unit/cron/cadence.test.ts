import { describe, expect, test } from "vitest";
import { readCadence } from "../../../src/cron/cadence.ts";

const wordsOf = (text: string): string => {
  const reading = readCadence(text);
  return "value" in reading ? reading.value.words : reading.fault;
};

describe("a cadence in words", () => {
  test.each([
    ["* * * * *", "every minute"],
    ["*/10 * * * *", "every 10 minutes"],
    ["0,30 * * * *", "every 30 minutes"],
    ["*/7 * * * *", "every hour at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56"],
    ["5-50/15 * * * *", "every hour at minutes 5, 20, 35 and 50"],
    ["0 * * * *", "every hour"],
    ["@hourly", "every hour"],
    ["7 * * * *", "every hour at minute 7"],
    ["0 */2 * * *", "every 2 hours"],
    ["15 */2 * * *", "every 2 hours at minute 15"],
    ["0 7,12 * * *", "every day at 07:00 and 12:00"],
    ["@daily", "every day at 00:00"],
    ["@weekly", "at 00:00 on Sunday"],
    ["30 7 * * mon-fri", "at 07:30 on Monday to Friday"],
    ["30 1 * * 7", "at 01:30 on Sunday"],
    ["*/5 8-18 * * *", "every 5 minutes from 08:00 to 18:59"],
    ["* 9 * * *", "every minute from 09:00 to 09:59"],
    ["*/5 8,12-14,20 * * *", "every 5 minutes in the hours 8, 12 to 14 and 20"],
    ["0 0 1,15 * *", "at 00:00 on day 1 and 15 of the month"],
    ["0 0 1 * fri", "at 00:00 on day 1 of the month and on Friday"],
    ["0 0 */2 * fri", /^at 00:00 on day 1, 3, .* and 31 of the month when it falls on Friday$/],
    ["@yearly", "at 00:00 on day 1 of the month in January"],
  ])("%s is %s", (text, words) => {
    expect(wordsOf(text)).toMatch(typeof words === "string" ? new RegExp(`^${words}$`) : words);
  });
});

describe("a duration", () => {
  test.each([
    ["1m", "* * * * *"],
    ["10m", "*/10 * * * *"],
    ["60m", "0 * * * *"],
    ["2h", "0 */2 * * *"],
    ["1d", "0 0 * * *"],
    ["24h", "0 0 * * *"],
    ["7d", "0 0 * * 0"],
  ])("%s is %s for cron", (text, cron) => {
    expect(readCadence(text)).toMatchObject({ value: { cron } });
  });

  test.each([
    ["7m", "try 6m or 10m"],
    ["30s", "try 1m"],
    ["90s", "try 1m or 2m"],
    ["90m", "try 1h or 2h"],
    ["5h", "try 4h or 6h"],
    ["30d", "try 7d"],
  ])("%s is refused, because cron would limp: %s", (text, hint) => {
    expect(wordsOf(text)).toContain(hint);
  });
});

test.each(["*/70 * * * *", "* * * *", "@reboot", "sometimes", ""])("%j is no cadence", (text) => {
  expect(readCadence(text)).toHaveProperty("fault");
});
