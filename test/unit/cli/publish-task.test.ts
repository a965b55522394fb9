import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { main } from "../../../src/cli/publish-task.ts";
import { main as runjobs } from "../../../src/cli/runjobs.ts";
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
  expect(said.err).toBe(
    "lines 401-1000: no room [QUEUE_FULL]\nno line after 1000 was tried\n" +
      "  Let runs drain the queue, or give the server more memory, then publish again.\n",
  );
});

test("an empty --from, as an unset variable of a script makes it, is called so", async () => {
  const said = await folder.say(main, ["say", "--from", ""]);
  expect(said).toMatchObject({ code: 64 });
  expect(said.err).toContain("--from names no file: its value is empty");
});

test("what --count was refused is called a task, for there is no line", async () => {
  vi.spyOn(Memq.prototype, "publishMany").mockImplementation((items) => {
    const outcomes = [...(items as Iterable<unknown>)].map(
      () => ({ kind: "refused", code: "QUEUE_FULL", reason: "no room" }) as const,
    );
    return Promise.resolve({ outcomes, kept: 0, duplicate: 0, refused: 7 });
  });
  const said = await folder.say(main, ["say", "x", "--count", "7", "--json"]);
  expect(said.code).toBe(75);
  expect(said.err).toContain("tasks 1-7: no room [QUEUE_FULL]\nno task after 7 was tried\n");
});

test("a good line between bad ones of the same kind parts them", async () => {
  const input = "x\n7\n8\n[1]\n9\n";
  const said = await folder.say(main, ["greet", "--from", "-", "--format", "ndjson", "--dry-run"], { input });
  expect(said.err).toMatch(/^line 1: .*\nlines 2-3: .*\nline 4: .*\nline 5: /);
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

test("a bulk whose lines were duplicates says how many", async () => {
  const said = await folder.say(main, ["greet", "--from", "-", "--key", "k"], { input: "a\nb\nc\n" });
  expect(said).toMatchObject({ code: 0, err: "1 kept, 2 duplicate, 0 refused\n" });
});

const HOSTILE = `
import { writeFileSync } from "node:fs";
export default class Worker {
  exits() { process.exit(3); }
  greet(name) { return "hello " + name; }
  async close() { writeFileSync("./closed", ""); }
}
`;

test("--now: process.exit in a handler fails the call, and the instance is closed", async () => {
  folder.write("handlers/worker.mjs", HOSTILE);
  const said = await folder.say(main, ["--now", "exits"]);
  expect(said).toMatchObject({ code: 1, out: "" });
  expect(said.err).toBe("publish-task: exits failed: the handler called process.exit(3)\n");
  expect(existsSync(join(folder.path, "closed"))).toBe(true);
});

test("--now --json of a method that returns nothing prints null", async () => {
  const said = await folder.say(main, ["--now", "--json", "saveToLocal", "x"]);
  expect(said).toEqual({ code: 0, out: "null\n", err: "" });
  expect(await folder.say(main, ["--now", "saveToLocal", "x"])).toMatchObject({ code: 0, out: "" });
});

test("--now: the method that a run calls at its end is no task", async () => {
  folder.write("handlers/worker.mjs", HOSTILE);
  const said = await folder.say(main, ["--now", "close"]);
  expect(said.code).toBe(64);
  expect(said.err).toContain(`"close" can never be called: it is what a run calls at its end`);
});

test("a broken section stops publishing to its own queue alone", async () => {
  folder.write("config.ini", "[queue.bad]\ntiemout = 5s\n[queue.ok]\n");
  expect(await folder.say(main, ["-q", "ok", "greet", "x"])).toMatchObject({ code: 0, err: "" });
  expect(await folder.say(main, ["greet", "x"])).toMatchObject({ code: 0, err: "" });
  const said = await folder.say(main, ["-q", "bad", "greet", "x"]);
  expect(said.code).toBe(78);
  expect(said.err).toContain("tiemout");
});

test("a run of sound queues is not told what is wrong with others", async () => {
  folder.write("config.ini", "[queue.bad]\ntiemout = 5s\n[queue.ok]\n");
  expect(await folder.say(runjobs, ["ok"])).toEqual({ code: 0, out: "", err: "" });
  expect(await folder.say(runjobs, ["ok", "bad"])).toMatchObject({ code: 78 });
  const all = await folder.say(runjobs, []);
  expect(all.code).toBe(78);
  expect(all.err).toContain("tiemout");
});

test("a call that names its class is told how to", async () => {
  const said = await folder.say(main, ["Worker.greet('x')"]);
  expect(said.err).toContain(`to name the class: publish-task -C Worker "greet('x')"`);
});

test("a folder in the place of config.ini is called one, and so is a file in the place of a store", async () => {
  const config = await folder.say(main, ["--config", folder.path, "greet"]);
  expect(config.err).toContain("it is a folder; name the file in it");
  folder.write("config.ini", "store = ./config.ini\n");
  const store = await folder.say(main, ["greet"]);
  expect(store.code).toBe(78);
  expect(store.err).toContain("config.ini is a file, and has to be a folder");
});

test("a delay beyond a century is told apart from what is none", async () => {
  const said = await folder.say(main, ["greet", "--delay", "99999d"]);
  expect(said.err).toContain(`--delay "99999d" is too long`);
});

test("what every object inherits is no class", async () => {
  const said = await folder.say(main, ["-C", "constructor", "greet"]);
  expect(said.code).toBe(64);
  expect(said.err).toContain(`"constructor" can never be the name of a handler class`);
});
