import { describe, expect, test } from "vitest";
import { describeFault } from "../../../src/config/fault.ts";
import { scan } from "../../../src/config/scan.ts";

/** Keys with their texts and lines, section by section. */
function contentOf(text: string): Record<string, string[]> {
  const { top, sections } = scan(text);
  return Object.fromEntries(
    [top, ...sections].map(({ kind, name, entries }) => [
      kind === "top" ? "" : `${kind}.${name}`,
      entries.map((entry) => {
        const line = entry.origin.kind === "line" ? entry.origin.line : 0;
        return `${String(line)} ${entry.key}=${entry.text}`;
      }),
    ]),
  );
}

const faultsOf = (text: string): string[] => scan(text).faults.map(describeFault);
/** The text of a value, which is written without fault. */
const valueOf = (raw: string): string | undefined => {
  expect(faultsOf(`k =${raw}`)).toEqual([]);
  return scan(`k =${raw}`).top.entries[0]?.text;
};

describe("a file", () => {
  test("is keys by section, each with its line", () => {
    expect(contentOf("a = 1\n\n; note\n[queue.push]\nb=2\n[event.x]\n  c   =   3  \n")).toEqual({
      "": ["1 a=1"],
      "queue.push": ["5 b=2"],
      "event.x": ["7 c=3"],
    });
  });

  test.each([
    ["\n", "line feeds"],
    ["\r\n", "carriage returns and line feeds"],
    ["\r", "carriage returns"],
  ])("may have its lines ended by %j: %s", (end) => {
    expect(contentOf(["a = 1", "[queue.push]", "", "b = 2"].join(end))).toEqual({
      "": ["1 a=1"],
      "queue.push": ["4 b=2"],
    });
  });

  test("may start with a byte order mark, even before a section", () => {
    expect(contentOf("\uFEFF[queue.push]\na = 1")).toEqual({ "": [], "queue.push": ["2 a=1"] });
  });

  test("may be empty", () => {
    expect(scan("")).toEqual({
      top: { kind: "top", name: "", origin: { kind: "file" }, entries: [] },
      sections: [],
      faults: [],
    });
  });

  test("may hold comments of broken characters", () => {
    expect(faultsOf("; \u0000 \ufffd\n  # \u0007\na = 1")).toEqual([]);
  });
});

describe("a value", () => {
  test.each([
    [" plain", "plain"],
    [" two words", "two words"],
    ["  10s, 1m  ", "10s, 1m"],
    [" a=b", "a=b"],
    [" true", "true"],
    [" null", "null"],
    [" 010", "010"],
    [" http://h/x", "http://h/x"],
    [" 中文", "中文"],
    [" it's", "it's"],
    [' say "hi"', 'say "hi"'],
    [" C:\\dir\\file", "C:\\dir\\file"],
    [" a\u00a0", "a"],
  ])("written as %j is %j", (raw, text) => {
    expect(valueOf(raw)).toBe(text);
  });

  test.each([
    [" 60s ; one minute", "60s"],
    [" 60s # one minute", "60s"],
    [" 60s\t;one minute", "60s"],
    [' "60s" ; one minute', "60s"],
    [" '60s' # one minute", "60s"],
    [' "60s"\t;', "60s"],
  ])("ends before a comment that follows a blank: %j", (raw, text) => {
    expect(valueOf(raw)).toBe(text);
  });

  test.each([
    [' "a;b#c"', "a;b#c"],
    [' "a ; b"', "a ; b"],
    [" 'a ; b'", "a ; b"],
    [' " blanks "', " blanks "],
    [' "say \\"hi\\""', 'say "hi"'],
    [' "tab\\tand 中"', "tab\tand 中"],
    [' "C:\\\\dir"', "C:\\dir"],
    [" 'C:\\\\dir\\x'", "C:\\\\dir\\x"],
    [" 'say \"hi\"'", 'say "hi"'],
    [' "it\'s"', "it's"],
    [" '\"x\"'", '"x"'],
    [" '1.0'", "1.0"],
    [" 'true'", "true"],
    [" '[1,2]'", "[1,2]"],
    [' "中文"', "中文"],
  ])("between quotes means %j", (raw, text) => {
    expect(valueOf(raw)).toBe(text);
  });

  test.each([
    [" a\\;b", "a;b"],
    [" a\\#b", "a#b"],
    [" a\\x", "a\\x"],
    [" a\\", "a\\"],
  ])("may hide a mark behind a backslash: %j", (raw, text) => {
    expect(valueOf(raw)).toBe(text);
  });

  test.each([
    [" http://h/#x", 'k would be cut at the "#" (put the value in quotes)'],
    [" pass;word", 'k would be cut at the ";" (put the value in quotes)'],
    [" a;b ; note", 'k would be cut at the ";" (put the value in quotes)'],
    [' f("x ; y")', 'k would be cut at the ";" inside quotes (put the whole value in quotes)'],
    [" f('x # y')", 'k would be cut at the "#" inside quotes (put the whole value in quotes)'],
    [" \\\\nas\\dir", "k would lose a backslash (put the value in single quotes)"],
    ["", "k has no value"],
    ["   ", "k has no value"],
    [" ; only a comment", "k has no value"],
    ["#x", "k has no value"],
    [' ""', "k has no value"],
    [" ''", "k has no value"],
    [' "open', "k has a quote that is not closed"],
    [" 'open", "k has a quote that is not closed"],
    [' "', "k has a quote that is not closed"],
    [' "a" b', "k has text after the closing quote"],
    [' "a";b', "k has text after the closing quote"],
    [' "a" "b"', "k has text after the closing quote"],
    [" 'it's'", "k has text after the closing quote"],
    [
      ' "C:\\x"',
      "k has a broken escape between double quotes (write \\\\ for a backslash, or use single quotes)",
    ],
    [
      ' "a\tb"',
      "k has a broken escape between double quotes (write \\\\ for a backslash, or use single quotes)",
    ],
  ])("that the grammar would change is a fault: %j", (raw, says) => {
    expect(faultsOf(`\nk =${raw}`)).toEqual([`line 2: ${says}`]);
  });
});

describe("a section's name", () => {
  test.each([
    "push",
    "eu.push",
    "my:memq:test",
    "a-b_c",
    "7",
    "工作",
    "é",
    "हिन्दी",
    "constructor",
    "toString",
  ])("is taken as written: %s", (name) => {
    expect(contentOf(`[queue.${name}]\na = 1`)).toEqual({ "": [], [`queue.${name}`]: ["2 a=1"] });
  });

  test.each([
    "[ queue.push ]",
    "  [queue.push]",
    "[queue.push] ; the pushes",
    "[queue.push]\t#x",
    "[queue.push]  ",
  ])("may stand in %j", (line) => {
    expect(contentOf(`${line}\na = 1`)).toEqual({ "": [], "queue.push": ["2 a=1"] });
  });

  test.each([
    ["[queue.]", '[queue.NAME]: the name "" is empty'],
    ["[queue.a b]", `[queue.NAME]: the name "a b" may hold only letters, digits, '.', ':', '_' and '-'`],
    ["[queue.a;b]", `[queue.NAME]: the name "a;b" may hold only letters, digits, '.', ':', '_' and '-'`],
    [
      "[queue.a\\.b]",
      `[queue.NAME]: the name "a\\\\.b" may hold only letters, digits, '.', ':', '_' and '-'`,
    ],
    ["[queue.-x]", `[queue.NAME]: the name "-x" starts with '-', as only options do`],
    ["[queue...]", '[queue.NAME]: the name ".." is reserved'],
    ["[queue.__proto__]", '[queue.NAME]: the name "__proto__" is reserved'],
    [`[queue.${"é".repeat(51)}]`, `[queue.NAME]: the name "${"é".repeat(51)}" is longer than 100 bytes`],
    [
      "[schedule.a/b]",
      `[schedule.NAME]: the name "a/b" may hold only letters, digits, '.', ':', '_' and '-'`,
    ],
  ])("is refused in %s", (line, says) => {
    expect(faultsOf(line)).toEqual([`line 1: ${says}`]);
  });

  test("may be 100 bytes long", () => {
    expect(faultsOf(`[queue.${"é".repeat(50)}]`)).toEqual([]);
  });
});

describe("a section line that the grammar would take for something else", () => {
  const there = "there are [queue.NAME], [schedule.NAME] and [event.NAME]";
  test.each([
    ["[queue.push", '"[queue.push" is a section without its closing ]'],
    ["[", '"[" is a section without its closing ]'],
    ["[queue.push] a = 1", `"[queue.push] a = 1" has text after the section's ]`],
    ["[queue.push];x", `"[queue.push];x" has text after the section's ]`],
    ["[queue.pu]sh]", `"[queue.pu]sh]" has text after the section's ]`],
    ["[]", `unknown section "[]": ${there}`],
    ["[push]", `unknown section "[push]" (did you mean [queue.push]?): ${there}`],
    ["[a.b]", `unknown section "[a.b]" (did you mean [queue.a.b]?): ${there}`],
    ["[queue]", `unknown section "[queue]" (did you mean [queue.NAME]?): ${there}`],
    ["[queues.push]", `unknown section "[queues.push]" (did you mean [queue.push]?): ${there}`],
    ["[Queue.push]", `unknown section "[Queue.push]" (did you mean [queue.push]?): ${there}`],
    ["[shedule.night]", `unknown section "[shedule.night]" (did you mean [schedule.night]?): ${there}`],
    ["[__proto__]", `unknown section "[__proto__]": ${there}`],
    ['["queue.push"]', `unknown section "[\\"queue.push\\"]": ${there}`],
    ["[a\u0007]", "holds a control character (U+0007)"],
    ["[queue.\ufffd]", "is not UTF-8 text (save the file as UTF-8)"],
  ])("is a fault: %s", (line, says) => {
    expect(faultsOf(line)).toEqual([`line 1: ${says}`]);
  });

  test("does not move its keys into the section before it", () => {
    expect(contentOf("[queue.a]\nx = 1\n[queue.b\ny = 2\n[nothing]\nz = 3")).toEqual({
      "": [],
      "queue.a": ["2 x=1"],
    });
  });

  test("that is named like a key of the top level is a fault, not dropped", () => {
    expect(faultsOf("queuename = a\n[queuename]\nx = 1")).toEqual([
      `line 2: unknown section "[queuename]" (did you mean [queue.queuename]?): ${there}`,
    ]);
  });

  test("that stands there already is a fault, not merged", () => {
    expect(faultsOf("[queue.a]\nx = 1\n[queue.a]\ny = 2")).toEqual([
      "line 3: [queue.a] stands on line 1 already",
    ]);
  });
});

describe("a key line that the grammar would take for something else", () => {
  test.each([
    ["cover", "cover has no value (write cover = …)"],
    [`${"k".repeat(99)} =`, `"${"k".repeat(60)}…" has no value`],
    ["k".repeat(99), `"${"k".repeat(60)}…" is neither key = value nor a [section]`],
    ["timeout: 60s", '"timeout: 60s" is neither key = value nor a [section]'],
    ["// note", '"// note" is neither key = value nor a [section]'],
    ["= 60s", "has no key before the ="],
    ["timeout = 60s\u0000", "holds a control character (U+0000)"],
    ["a\u2028= 1", "holds a control character (U+2028)"],
    ["time\u001bout = 1", "holds a control character (U+001B)"],
    ["classname = \ufffd", "is not UTF-8 text (save the file as UTF-8)"],
  ])("is a fault: %j", (line, says) => {
    expect(faultsOf(line)).toEqual([`line 1: ${says}`]);
  });

  test("that stands there already is a fault, not the winner", () => {
    expect(contentOf("a = 1\na = 2")).toEqual({ "": ["1 a=1"] });
    expect(faultsOf("a = 1\nb = 2\na = 3")).toEqual(['line 3: "a" stands on line 1 already']);
  });

  test("that stands in another section already is another key", () => {
    expect(faultsOf("a = 1\n[queue.x]\na = 2\n[queue.y]\na = 3")).toEqual([]);
  });

  test("of a list may stand there many times", () => {
    expect(contentOf("[event.e]\ntask[] = a\ntask[] = b")).toEqual({
      "": [],
      "event.e": ["2 task[]=a", "3 task[]=b"],
    });
  });

  test("does not show a password", () => {
    expect(faultsOf("password: hunter2\nSecret hunter2").join()).not.toContain("hunter2");
    expect(faultsOf("password = hun#ter2").join()).not.toContain("hun");
  });
});
