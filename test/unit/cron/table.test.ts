import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Mark } from "../../../src/cron/mark.ts";
import { isSameMark, markLine, readMarkLine } from "../../../src/cron/mark.ts";
import { blocksIn, mailToLine, withBlock, withoutBlocks } from "../../../src/cron/table.ts";

const shop: Mark = { configFile: "/srv/shop/config.ini" };
const push: Mark = { configFile: "/srv/shop/config.ini", queue: "push" };
const blog: Mark = { configFile: "/srv/blog/config.ini" };
const isShop = (mark: Mark): boolean => isSameMark(mark, shop);
const put = (table: string, mark: Mark, ...lines: string[]): string => withBlock(table, mark, () => lines);
const latin1 = (text: string): string => Buffer.from(text).toString("latin1");

test("a block is added at the end, and the table is as before when it is taken out", () => {
  const table = "MAILTO=me\n# mine\n0 1 * * * backup\n";
  const added = put(table, shop, "* * * * * run");
  expect(added).toBe(
    `${table}# BEGIN memq "/srv/shop/config.ini"\n* * * * * run\n# END memq "/srv/shop/config.ini"\n`,
  );
  expect(withoutBlocks(added, isShop)).toBe(table);
});

test("whatever bytes the table has, they stay", () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array).toString("latin1"));
  const pieces = fc.array(
    fc.oneof(
      bytes,
      fc.constantFrom(
        "\n",
        "\r\n",
        "0 1 * * * x\r\n",
        latin1("# 店\n"),
        `${markLine({ ...blog, edge: "END" })}\n`,
      ),
    ),
  );
  fc.assert(
    fc.property(pieces, (parts) => {
      const table = parts.join("");
      const added = put(table, shop, "* * * * * run");
      const ended = table === "" || table.endsWith("\n") ? table : `${table}\n`;
      expect(added.startsWith(ended)).toBe(true);
      expect(withoutBlocks(added, isShop)).toBe(ended);
    }),
  );
});

test("a block is replaced where it stands", () => {
  const table = put("a\r\n", shop, "old") + "z";
  const replaced = put(table, shop, "new", "newer");
  expect(replaced).toBe(`${put("a\r\n", shop, "new", "newer")}z\n`);
  expect(put(replaced, shop, "new", "newer")).toBe(replaced);
});

test("copies of a block go when it is replaced", () => {
  const one = put("", shop, "old");
  expect(put(`${one}between\n${one}`, shop, "new")).toBe(`${put("", shop, "new")}between\n`);
});

test("the blocks of other configurations and other queues stay", () => {
  const table = put(put(put("", blog, "b"), push, "p"), shop, "s");
  const without = withoutBlocks(table, isShop);
  expect(without).toBe(put(put("", blog, "b"), push, "p"));
  expect(blocksIn(table, () => true).map(({ mark, lines }) => [mark, lines])).toEqual([
    [blog, ["b"]],
    [push, ["p"]],
    [shop, ["s"]],
  ]);
});

test("a mark with Windows line ends is known", () => {
  const table = put("", shop, "old").replaceAll("\n", "\r\n");
  expect(put(`a\r\n${table}z\r\n`, shop, "new")).toBe(`a\r\n${put("", shop, "new")}z\r\n`);
});

describe("a broken block is refused with its line", () => {
  const [begin, end] = [markLine({ ...shop, edge: "BEGIN" }), markLine({ ...shop, edge: "END" })];
  test.each([
    [`a\n${begin}\nb\n`, "line 2 of the crontab begins a block that does not end"],
    [`${end}\n`, "line 1 of the crontab ends a block that does not begin"],
    [`${begin}\n${begin}\n${end}\n`, "line 1 of the crontab begins a block that does not end"],
    [`${begin}\n${markLine({ ...blog, edge: "BEGIN" })}\n${end}\n`, "line 1 of the crontab begins"],
    [`${begin}\nx\n${end}\ny\n${end}\n`, "line 5 of the crontab ends"],
  ])("%j", (table, words) => {
    expect(() => put(table, shop, "x")).toThrow(words);
    expect(() => withoutBlocks(table, isShop)).toThrow(words);
  });

  test("but not when it is another's", () => {
    const table = `${markLine({ ...blog, edge: "BEGIN" })}\nb\n`;
    expect(put(table, shop, "x")).toBe(table + put("", shop, "x"));
  });
});

test("a mark is read back, whatever the path is called", () => {
  const path = fc.string({ unit: "grapheme" }).map((name) => `/${name}`);
  fc.assert(
    fc.property(path, fc.option(path, { nil: undefined }), (configFile, queue) => {
      const mark = { edge: "BEGIN" as const, configFile, ...(queue !== undefined && { queue }) };
      expect(readMarkLine(markLine(mark))).toEqual(mark);
    }),
  );
});

test("a block with a path that is not ASCII is found again in the bytes", () => {
  const mark = { configFile: "/srv/店/config.ini" };
  const table = put("x\n", mark, "y 店");
  expect(table).toBe(latin1(Buffer.from(table, "latin1").toString("utf8")));
  expect(blocksIn(table, (other) => isSameMark(other, mark))[0]?.lines).toEqual(["y 店"]);
});

test.each([
  ["MAILTO=a\nMAILTO = b\n0 1 * * * x MAILTO=c\n", "MAILTO = b"],
  [`"MAILTO"='a'\r\n`, `"MAILTO"='a'`],
  ["#MAILTO=a\n", undefined],
])("who gets the mail is told by the last assignment: %j", (table, line) => {
  expect(mailToLine(table)).toBe(line);
});
