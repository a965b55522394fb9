import { describe, expect, test } from "vitest";
import { readCall } from "../../../src/task/call-text.ts";

describe("a line is read as for publish-task:", () => {
  test.each([
    ["report", { method: "report", args: [] }],
    ["  report   yesterday -5  ", { method: "report", args: ["yesterday", "-5"] }],
    [`report "last week" 'it''s' a"b c"d ""`, { method: "report", args: ["last week", "its", "ab cd", ""] }],
    [
      `say "she said \\"hi\\"" 'C:\\new' "C:\\\\new"`,
      { method: "say", args: [`she said "hi"`, "C:\\new", "C:\\new"] },
    ],
    [`报告 "昨天，'引号'"`, { method: "报告", args: ["昨天，'引号'"] }],
    [`report('last week', 7, [true])`, { method: "report", args: ["last week", 7, [true]] }],
    [`-C Mailer send now`, { class: "Mailer", method: "send", args: ["now"] }],
    [`--class Mailer send('now')`, { class: "Mailer", method: "send", args: ["now"] }],
    [`Mailer.send now`, { class: "Mailer", method: "send", args: ["now"] }],
    [`Mailer.send('now', "a.b(c)")`, { class: "Mailer", method: "send", args: ["now", "a.b(c)"] }],
    [`say a.b(c)`, { method: "say", args: ["a.b(c)"] }],
    [`echo $HOME * ; rm`, { method: "echo", args: ["$HOME", "*", ";", "rm"] }],
  ])("%s", (line, call) => {
    expect(readCall(line)).toEqual(call);
  });

  test.each([
    ["", "no method was named"],
    ["   ", "no method was named"],
    [`report "open`, "has a quote that does not end"],
    [`report it's`, "has a quote that does not end"],
    [`"re port"`, "cannot be the name of a method"],
    ["constructor", "is not a public method"],
    ["report('open", "a quote is not closed"],
    [`a.b.send('x')`, `"a.b.send('x')" is no call (such as report('last week')`],
    [`-C Other Mailer.send('x')`, `is no call`],
    ["Mailer.constructor", "is not a public method"],
    ["-C Bad-Name send", "cannot be the name of a class"],
  ])("%s is none", (line, why) => {
    expect(() => readCall(line)).toThrow(why);
  });
});
