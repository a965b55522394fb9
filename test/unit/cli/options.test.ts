import { describe, expect, test } from "vitest";
import { parseOptions, takeWord, type Options } from "../../../src/cli/options.ts";
import { MemqError } from "../../../src/errors.ts";

const OPTIONS: Options = {
  limit: { value: "N", doc: "" },
  key: { short: "k", value: "K", doc: "" },
  all: { doc: "" },
  only: { value: "NAME", doc: "", once: true },
};
const parse = (...argv: string[]): ReturnType<typeof parseOptions> => parseOptions(argv, OPTIONS);

function refusal(...argv: string[]): string {
  try {
    parse(...argv);
  } catch (error) {
    if (error instanceof MemqError) return `${error.code}: ${error.message}`;
  }
  throw new Error("it was not refused");
}

describe("parseOptions", () => {
  test("options stand before, between and behind words", () => {
    const parsed = parse("--all", "a", "--limit", "5", "b", "-k", "order:42");
    expect(parsed.words).toEqual(["a", "b"]);
    expect([parsed.flag("all"), parsed.text("limit"), parsed.text("key")]).toEqual([true, "5", "order:42"]);
  });

  test("negative numbers are words", () => {
    expect(parse("add", "-5", "-.5", "-1e3").words).toEqual(["add", "-5", "-.5", "-1e3"]);
  });

  test("a negative number is an option's value too", () => {
    expect(parse("--limit", "-5").text("limit")).toBe("-5");
    expect(parse("--limit=-5").text("limit")).toBe("-5");
  });

  test("behind -- everything is a word", () => {
    expect(parse("say", "--", "--all", "-5", "--", "--help").words).toEqual([
      "say",
      "--all",
      "-5",
      "--",
      "--help",
    ]);
  });

  test("the empty word is a word", () => {
    expect(parse("say", "").words).toEqual(["say", ""]);
    expect(parse("--key", "").text("key")).toBe("");
  });

  test("an unknown option is refused with the one that was meant", () => {
    expect(refusal("--limt", "5")).toMatch(/^USAGE: unknown option --limt, did you mean --limit\?/);
    expect(refusal("-x")).toMatch(/^USAGE: unknown option -x .*goes behind --/);
  });

  test("a missing value and one too many are refused", () => {
    expect(refusal("--limit")).toBe("USAGE: --limit needs a value: --limit N");
    expect(refusal("-k")).toBe("USAGE: --key needs a value: --key K");
    const hint = 'one that begins with "-" is written --limit=…';
    expect(refusal("--limit", "--all")).toBe(`USAGE: --limit needs a value: --limit N; ${hint}`);
    expect(refusal("--all=yes")).toBe("USAGE: --all takes no value");
  });

  test("of an option that is given twice the last counts, unless it can be meant only once", () => {
    expect(parse("--limit", "1", "--limit", "2").text("limit")).toBe("2");
    expect(refusal("--only", "a", "--only", "b")).toBe("USAGE: --only is given more than once");
  });
});

describe("takeWord", () => {
  test("the first word is taken, past options and their values", () => {
    expect(takeWord(["-k", "list", "--limit=3", "show", "x"], OPTIONS)).toEqual({
      word: "show",
      rest: ["-k", "list", "--limit=3", "x"],
    });
  });

  test("without a word everything is the rest", () => {
    expect(takeWord(["--all", "--nonsense"], OPTIONS)).toEqual({ rest: ["--all", "--nonsense"] });
  });
});
