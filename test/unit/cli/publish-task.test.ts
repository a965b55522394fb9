import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { main } from "../../../src/cli/publish-task.ts";
import { MemqError } from "../../../src/errors.ts";
import { Memq } from "../../../src/memq.ts";
import { makeFolder, type Folder } from "./fake-io.ts";

let folder: Folder;
beforeEach(() => {
  folder = makeFolder("");
});
afterEach(async () => {
  vi.restoreAllMocks();
  await folder.remove();
});

const numbers = (count: number): string => Array.from({ length: count }, (_, i) => `${String(i)}\n`).join("");

test("a bulk that a full queue cuts short says what it kept, and exits with 75", async () => {
  vi.spyOn(Memq.prototype, "publishMany").mockImplementation((items) => {
    const outcomes = [...(items as Iterable<unknown>)].map((_, i) =>
      i < 400
        ? { kind: "kept" as const, id: `id-${String(i)}` }
        : { kind: "refused" as const, code: "QUEUE_FULL" as const, reason: "no room" },
    );
    return Promise.resolve({ outcomes, kept: 400, duplicate: 0, refused: 600 });
  });
  const said = await folder.say(main, ["say", "--from", "-", "--json"], { input: numbers(2_500) });
  expect(said.code).toBe(75);
  expect(JSON.parse(said.out)).toEqual({ kept: 400, duplicate: 0, refused: 600 });
  expect(said.err).toContain("line 401: no room [QUEUE_FULL]");
  expect(said.err).toContain("the lines after 1000 were not tried");
});

test("a bulk whose broker goes away says what is known, and exits as the failure does", async () => {
  const outcomes = Array.from({ length: 1_000 }, (_, i) => ({ kind: "kept" as const, id: String(i) }));
  vi.spyOn(Memq.prototype, "publishMany")
    .mockResolvedValueOnce({ outcomes, kept: 1_000, duplicate: 0, refused: 0 })
    .mockRejectedValueOnce(new MemqError("BROKER_UNREACHABLE", "memcached at x:1 did not answer"));
  const said = await folder.say(main, ["say", "--from", "-", "--json"], { input: numbers(2_500) });
  expect(said.code).toBe(69);
  expect(JSON.parse(said.out)).toEqual({ kept: 1_000, duplicate: 0, refused: 0 });
  expect(said.err).toContain("the lines up to 1000 were answered; of the later ones nothing is known");
});

test("without --json the same bulk prints the ids it knows", async () => {
  vi.spyOn(Memq.prototype, "publishMany").mockImplementationOnce(() =>
    Promise.resolve({ outcomes: [{ kind: "kept", id: "a1" }], kept: 1, duplicate: 0, refused: 0 }),
  );
  const said = await folder.say(main, ["say", "--from", "-"], { input: "x\n" });
  expect(said).toEqual({ code: 0, out: "a1\n", err: "" });
});
