import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readBulk, splitLines, type BulkLine, type LineFormat } from "../../../src/cli/bulk-lines.ts";

async function* inPieces(bytes: Buffer, cuts: readonly number[] = []): AsyncGenerator<Buffer> {
  await Promise.resolve();
  const places = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  for (const [i, from] of places.slice(0, -1).entries()) yield bytes.subarray(from, places[i + 1]);
}

const read = (text: string, format: LineFormat, method?: string): Promise<BulkLine[]> =>
  collectAll(readBulk(inPieces(Buffer.from(text)), { format, method }));

async function collectAll<T>(source: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const some of source) all.push(...some);
  return all;
}

const textsOf = async (bytes: AsyncIterable<Buffer>): Promise<string[]> =>
  (await collectAll(splitLines(bytes))).map(({ bytes: line }) => String(line));

const itemsOf = (lines: readonly BulkLine[]): unknown[] =>
  lines.map((line) => ("item" in line ? line.item : line.fault.code));

describe("splitLines", () => {
  test("lines are the same, however the stream is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: "grapheme", maxLength: 20 }).map((line) => line.replaceAll("\n", " "))),
        fc.array(fc.nat(400)),
        async (lines, cuts) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
          const inside = cuts.filter((cut) => cut < bytes.length);
          const split = await collectAll(splitLines(inPieces(bytes, inside)));
          expect(split.map((line) => String(line.bytes))).toEqual(lines);
          const ends = lines.map((_, at) => Buffer.byteLength(lines.slice(0, at + 1).join("\n")) + 1);
          expect(split.map(({ end }) => end)).toEqual(ends);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("a last line without an end counts, an end without a line does not", async () => {
    expect(await textsOf(inPieces(Buffer.from("a\nb")))).toEqual(["a", "b"]);
    expect(await textsOf(inPieces(Buffer.from("a\n")))).toEqual(["a"]);
  });

  test("a line that no task could hold is given up, the next one is read", async () => {
    const piece = Buffer.alloc(1024 * 1024, "x");
    async function* long(): AsyncGenerator<Buffer> {
      await Promise.resolve();
      for (let i = 0; i < 65; i++) yield piece;
      yield Buffer.from("\nshort\n");
    }
    const lines = await collectAll(readBulk(long(), { format: "lines", method: "say" }));
    expect(itemsOf(lines)).toEqual(["TASK_TOO_LARGE", { method: "say", args: ["short"] }]);
  });
});

describe("lines", () => {
  test("each is the method's one argument, a carriage return and a byte order mark are not", async () => {
    expect(itemsOf(await read("\ufeffa\r\n\n\ufeffb\n", "lines", "say"))).toEqual([
      { method: "say", args: ["a"] },
      { method: "say", args: [""] },
      { method: "say", args: ["\ufeffb"] },
    ]);
  });
});

describe("ndjson", () => {
  test("lists and objects are calls; the command line may name the method", async () => {
    const text = [`["say", 1, [2]]`, `{"args":["x"],"key":"k"}`, `{"method":"say('text')"}`, "  "].join("\n");
    expect(itemsOf(await read(text, "ndjson", "push"))).toEqual([
      { method: "say", args: [1, [2]] },
      { method: "push", args: ["x"], key: "k" },
      { method: "say", args: ["text"] },
    ]);
  });

  test("what is no call is a fault of its line", async () => {
    const text = [
      `{`,
      `5`,
      `null`,
      `[]`,
      `[5]`,
      `{"args":[]}`,
      `{"method":"a","args":"x"}`,
      `{"method":"a","delay":true}`,
      `{"method":"a('x')","args":[1]}`,
      `{"method":"a","__proto__":1}`,
    ].join("\n");
    expect(itemsOf(await read(text, "ndjson"))).toEqual([
      "ARGS_INVALID",
      "ARGS_INVALID",
      "ARGS_INVALID",
      "CALL_INVALID",
      "CALL_INVALID",
      "CALL_INVALID",
      "ARGS_INVALID",
      "ARGS_INVALID",
      "CALL_INVALID",
      "ARGS_INVALID",
    ]);
  });

  test("an empty line is no line, but counts", async () => {
    const lines = await read(`\n["a"]\n\nx`, "ndjson");
    expect(lines.map(({ line }) => line)).toEqual([2, 4]);
  });
});

test("an integer that a number cannot hold is refused, in quotes it is kept", async () => {
  const lines = await read('["push", 12345678901234567890]\n["push", "12345678901234567890"]\n', "ndjson");
  expect(itemsOf(lines)).toEqual(["ARGS_INVALID", { method: "push", args: ["12345678901234567890"] }]);
});
