import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { main } from "../../../../src/cli/memq.ts";
import { QueueRuns } from "../../../../src/host/queue-runs.ts";
import { makeFolder, type Folder } from "../fake-io.ts";

let folder: Folder;
beforeEach(() => {
  folder = makeFolder("every = 10m\n[queue.push]\nwarn = 2 waiting, 30m oldest\n");
});
afterEach(() => folder.remove());

const NOW = Date.now();
const MINUTE = 60_000;

function ran(run: string, startedAt: number, ended = "empty", queue = "push"): void {
  const runs = new QueueRuns({ storePath: join(folder.path, "memq-data"), queue }, run);
  runs.start(startedAt);
  runs.begin(startedAt);
  runs.worked(1_000);
  const failure = ended === "failed" ? { failure: "memcached at h:1 is away [BROKER_UNREACHABLE]" } : {};
  runs.end({ done: 5, retried: 1, dead: 0, left: 2, ended, ...failure }, startedAt + 2_100);
}

describe("memq runs", () => {
  test("lists what runs did, the latest first, and why they ended", async () => {
    ran("early", NOW - 20 * MINUTE);
    ran("late", NOW - 10 * MINUTE, "max-time");
    ran("bad", NOW - 5 * MINUTE, "failed");
    const { code, out, err } = await folder.say(main, ["runs"]);
    expect([code, err]).toEqual([0, ""]);
    const lines = out.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^started +took +run +queue +done +retried +dead +left +ended$/);
    expect(lines[1]).toMatch(/memcached at h:1 is away \[BROKER_UNREACHABLE\]$/);
    expect(lines[2]).toMatch(/2\.1s +\S+:\d+ +push +5 +1 +0 +2 +max-time reached$/);
    expect(lines[3]).toMatch(/drained$/);
  });

  test("--json gives the same for programs, --limit fewer of them, -q those of one queue", async () => {
    ran("early", NOW - 20 * MINUTE);
    ran("late", NOW - 10 * MINUTE);
    ran("other", NOW - 15 * MINUTE, "empty", "default");
    const { runs } = JSON.parse((await folder.say(main, ["runs", "--json", "-q", "push"])).out) as {
      runs: object[];
    };
    expect(runs).toMatchObject([
      { run: "late", queue: "push", state: "ended", done: 5, retried: 1, dead: 0, left: 2, ended: "empty" },
      { run: "early" },
    ]);
    const few = await folder.say(main, ["runs", "--limit", "1"]);
    expect(few.out.trimEnd().split("\n")).toHaveLength(2);
  });

  test("runs that found nothing to do are counted", async () => {
    for (let n = 0; n < 3; n++) {
      const runs = new QueueRuns({ storePath: join(folder.path, "memq-data"), queue: "push" }, String(n));
      runs.start(NOW);
      runs.end({ done: 0, retried: 0, dead: 0, left: 0, ended: "empty" }, NOW);
    }
    const { out, err } = await folder.say(main, ["runs"]);
    expect([out, err]).toEqual([
      "",
      expect.stringMatching(/^push: 3 runs found nothing to do, the last at \d{4}-/),
    ]);
  });

  test("no run yet is said", async () => {
    expect((await folder.say(main, ["runs"])).err).toBe("No run has looked at a queue on this host yet.\n");
  });

  test("what cannot be read is said", async () => {
    writeFileSync(folder.write("memq-data/runs", ""), "");
    const { code, err } = await folder.say(main, ["runs"]);
    expect(code).toBe(78);
    expect(err).toContain("STORE_UNUSABLE");
  });
});

describe("memq status --check", () => {
  const publish = async (count: number): Promise<void> => {
    const memq = await folder.memq();
    for (let n = 0; n < count; n++) await memq.publish("greet", ["you"], { queue: "push" });
  };

  test("is silent and exits with 0 when all is well", async () => {
    ran("late", NOW - 2_000);
    await publish(1);
    expect(await folder.say(main, ["status", "--check"])).toEqual({ code: 0, out: "", err: "" });
  });

  test("says what is past a limit, and exits with 1", async () => {
    await publish(2);
    const { code, out } = await folder.say(main, ["status", "--check"]);
    expect([code, out]).toEqual([1, "push: 2 tasks wait (warn = 2 waiting)\n"]);
    const json = await folder.say(main, ["status", "--check", "--json"]);
    expect(JSON.parse(json.out)).toEqual({
      warnings: [{ queue: "push", text: "2 tasks wait (warn = 2 waiting)" }],
    });
  });

  test("says that runs are late", async () => {
    ran("late", NOW - 34 * MINUTE);
    const { code, out } = await folder.say(main, ["status", "--check"]);
    expect([code, out]).toEqual([1, "push: no run for 34 min, expected every 10 min\n"]);
    expect((await folder.say(main, ["status"])).out.split("\n")[0]).toBe(out.trim());
  });

  test("and --watch exclude each other", async () => {
    expect((await folder.say(main, ["status", "--check", "--watch"])).code).toBe(64);
  });
});

describe("memq why", () => {
  test("tells in one paragraph, by id and by key", async () => {
    const memq = await folder.memq();
    const id = await memq.publish("greet", ["you"], { queue: "push", key: "k", delay: "20m" });
    const { code, out, err } = await folder.say(main, ["why", id]);
    expect([code, err]).toEqual([0, ""]);
    expect(out.trimEnd().split("\n")).toHaveLength(1);
    expect(out).toMatch(
      new RegExp(`^Task ${id}, Worker\\.greet\\("you"\\), is in queue push .* falls due at `),
    );
    const json = await folder.say(main, ["why", "--key", "k", "--json"]);
    expect(JSON.parse(json.out)).toMatchObject({
      id,
      queue: "push",
      state: "delayed",
      why: expect.any(String) as string,
    });
  });

  test("a task that is not there is named", async () => {
    const { code, err } = await folder.say(main, ["why", "nothing"]);
    expect(code).toBe(65);
    expect(err).toContain("NOT_FOUND");
    expect((await folder.say(main, ["why"])).code).toBe(64);
  });
});
