import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Ledger } from "../../../src/host/ledger.ts";
import { QueueRuns, type WorkDone } from "../../../src/host/queue-runs.ts";
import { thisProcess } from "../../../src/host/process-identity.ts";
import { realmName } from "../../../src/host/realm.ts";
import { toldLossesIn } from "../../../src/host/told-losses.ts";
import { upMs } from "../../../src/host/up-time.ts";
import { recordsOf } from "../../../src/host/run-record.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "memq-queue-runs-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const runsOf = (run: string, queue = "push"): QueueRuns => new QueueRuns({ storePath: folder, queue }, run);
const did = (wishes: Partial<WorkDone> = {}): WorkDone => ({
  done: 1,
  retried: 0,
  dead: 0,
  left: 0,
  ended: "empty",
  ...wishes,
});
const NOW = Date.now();

function work(run: string, from: number, to: number, what = did()): QueueRuns {
  const runs = runsOf(run);
  runs.start(from);
  runs.begin(from);
  runs.worked(to - from);
  runs.end(what, to);
  return runs;
}

test("runs that found nothing to do are counted, by queue, and leave no record", () => {
  for (let n = 0; n < 3; n++) {
    const runs = runsOf(String(n));
    runs.start(NOW);
    runs.end(did({ done: 0 }), NOW);
  }
  expect(runsOf("look").history(NOW)).toEqual([]);
  expect(runsOf("look").emptyRuns()).toMatchObject({ count: 3 });
  expect(runsOf("look").emptyRuns()?.lastAt).toBeGreaterThan(NOW - 2_000);
  expect(runsOf("look", "mail").emptyRuns()).toBeUndefined();
});

test("a run that waited in vain for a place leaves a record, whatever ended it", async () => {
  await runsOf("other").takeSlot({ max: 1 });
  const runs = runsOf("one");
  runs.start(NOW);
  expect(await runs.takeSlot({ max: 1 })).toMatchObject({ kind: "full" });
  runs.end(did({ done: 0, ended: "max-time" }), NOW);
  expect(recordsOf(runsOf("look").history(NOW))).toMatchObject([{ end: { ended: "max-time" } }]);
  expect(runsOf("look").emptyRuns()).toBeUndefined();
});

test("a loss is on record as soon as it is found, with its time, and whoever found it has a record too", () => {
  const runs = runsOf("one");
  runs.start(NOW - 9_000);
  runs.lost("12 tasks were lost", NOW - 5_000);
  runs.lost("3 tasks were lost", NOW - 4_000);
  expect(toldLossesIn(runsOf("look").history(NOW))).toEqual([
    { at: NOW - 4_000, text: "3 tasks were lost" },
    { at: NOW - 5_000, text: "12 tasks were lost" },
  ]);
  expect(toldLossesIn(runsOf("look", "mail").history(NOW))).toEqual([]);
  expect(recordsOf(runsOf("look").history(NOW))).toEqual([]);
  runs.end(did({ done: 0 }), NOW);
  expect(recordsOf(runsOf("look").history(NOW))).toMatchObject([{ end: { ended: "empty", done: 0 } }]);
  expect(toldLossesIn(runsOf("look").history(NOW))).toHaveLength(2);
});

test("a loss that was noted at the end of a run, by an older memq, is read as told then", () => {
  const old = {
    kind: "ended",
    run: "old",
    queue: "push",
    at: NOW,
    host: "host",
    pid: 1,
    startedAt: NOW,
  } as const;
  const losses = ["12 tasks were lost"];
  new Ledger(join(folder, "runs")).append({ ...old, workedMs: 0, ...did(), losses });
  expect(toldLossesIn(runsOf("look").history(NOW))).toEqual([{ at: NOW, text: "12 tasks were lost" }]);
});

test("a run ends a worker that a handler blocks for longer than it said, and nobody else did", async () => {
  const child = spawn(process.execPath, ["-e", "for (;;);"]);
  const exit = once(child, "exit");
  const pid = child.pid ?? 0;
  await expect.poll(() => startOf(pid)).not.toBe("");
  const place = join(folder, "workers", `push@${realmName()}`);
  mkdirSync(place, { recursive: true });
  const entry = join(place, `${String(pid)}.${startOf(pid)}.abc.0.run`);
  const isSilentSince = (ms: number): void => {
    writeFileSync(entry, "");
    utimesSync(entry, (upMs() - ms) / 1_000, NOW / 1_000);
  };
  isSilentSince(1_000); // its parent may be about to
  await runsOf("one").takeSlot({ max: 1 });
  expect(child.exitCode ?? child.signalCode).toBeNull();
  isSilentSince(60_000);
  const runs = runsOf("two");
  await runs.takeSlot({ max: 2 });
  expect(await exit).toEqual([null, "SIGKILL"]);
  const name = `${thisProcess().host}:${String(pid)}`;
  expect(runs.stuck).toEqual([{ name, sinceMs: expect.any(Number) as unknown, worker: true }]);
});

test("a process that has the number of a worker, and is another one, is left alone", async () => {
  const child = spawn(process.execPath, ["-e", "for (;;);"]);
  const pid = child.pid ?? 0;
  await expect.poll(() => startOf(pid)).not.toBe("");
  const place = join(folder, "workers", `push@${realmName()}`);
  mkdirSync(place, { recursive: true });
  const entry = join(place, `${String(pid)}.${String(Number(startOf(pid)) - 1)}.abc.0.run`);
  writeFileSync(entry, "");
  utimesSync(entry, 1, NOW / 1_000);
  const runs = runsOf("one");
  await runs.takeSlot({ max: 1 });
  expect(runs.stuck).toEqual([]);
  expect(child.exitCode ?? child.signalCode).toBeNull();
  child.kill("SIGKILL");
});

/** When a process was started, as the kernel has it; "" when it is not there. */
function startOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

test("a run that worked leaves a record", () => {
  work("one", NOW - 5_000, NOW, did({ done: 7, dead: 1, left: 2, ended: "max-time" }));
  const [record, ...more] = recordsOf(runsOf("look").history(NOW));
  expect(more).toEqual([]);
  expect(record).toMatchObject({
    queue: "push",
    state: "ended",
    startedAt: NOW - 5_000,
    who: `${thisProcess().host}:${String(process.pid)}`,
    end: { done: 7, dead: 1, left: 2, ended: "max-time", workedMs: 5_000 },
  });
});

test("a run that wanted to work and could not leaves a record too", () => {
  for (const ended of ["full", "failed"]) {
    const runs = runsOf(ended);
    runs.start(NOW);
    runs.end(did({ done: 0, ended, ...(ended === "failed" && { failure: "it is away" }) }), NOW);
  }
  expect(
    recordsOf(runsOf("look").history(NOW))
      .map(({ end }) => end?.ended)
      .sort(),
  ).toEqual(["failed", "full"]);
});

test("a run that is under way is running, one whose process is gone was killed, another host's is unknown", () => {
  const runs = runsOf("alive");
  runs.start(NOW);
  runs.begin(NOW);
  const ledger = new Ledger(join(folder, "runs"));
  const began = { kind: "began", queue: "push", at: NOW } as const;
  ledger.append({ ...began, run: "dead", who: { ...thisProcess(), startedAt: "1" } });
  ledger.append({ ...began, run: "rebooted", who: { ...thisProcess(), realm: "before" } });
  ledger.append({ ...began, run: "far", who: { ...thisProcess(), host: "elsewhere" } });
  const states = recordsOf(runsOf("look").history(NOW)).map(({ run, state }) => [run, state]);
  expect(Object.fromEntries(states)).toEqual({
    alive: "running",
    dead: "killed",
    rebooted: "killed",
    far: "unknown",
  });
});

test("records come latest first, one for each queue of a run", () => {
  work("early", NOW - 9_000, NOW - 8_000);
  work("late", NOW - 5_000, NOW);
  const other = runsOf("late", "mail");
  other.start(NOW - 5_000);
  other.begin(NOW - 5_000);
  other.end(did(), NOW);
  const both = [...runsOf("look").history(NOW), ...runsOf("look", "mail").history(NOW)];
  expect(recordsOf(both).map(({ run, queue }) => `${run} ${queue}`)).toEqual([
    "late push",
    "late mail",
    "early push",
  ]);
});

test("whoever waits for what falls due is alone, and holds no slot", async () => {
  const wait = await runsOf("one").takeWait();
  expect(await runsOf("two").takeWait()).toBeUndefined();
  expect(runsOf("look").working()).toEqual([]);
  expect(runsOf("look").waiting()).toMatchObject({ name: `${thisProcess().host}:${String(process.pid)}` });
  wait?.release();
  expect(await runsOf("two").takeWait()).toBeDefined();
});

test("queues have slots of their own", async () => {
  await runsOf("one").takeSlot({ max: 1 });
  expect(await runsOf("one").takeSlot({ max: 1 })).toMatchObject({ kind: "full" });
  expect(await runsOf("one", "mail").takeSlot({ max: 1 })).toMatchObject({ kind: "slot" });
});

test("a folder that cannot be used keeps nobody from working, and is told", async () => {
  writeFileSync(join(folder, "runs"), "a file in its place");
  const runs = runsOf("one");
  runs.start(NOW);
  expect(await runs.takeSlot({ max: 1 })).toBeUndefined();
  runs.begin(NOW);
  expect(runs.sharedBy()).toBe(1);
  runs.end(did(), NOW);
  expect(String(runs.fault)).toMatch(/ENOTDIR|EEXIST/);
});

test("what earlier boots and containers left is swept when it is old", async () => {
  const old = join(folder, "runs", "push@host-before");
  const recent = join(folder, "runs", "push@host-other");
  for (const path of [old, recent]) mkdirSync(path, { recursive: true });
  utimesSync(old, NOW / 1_000 - 40 * 86_400, NOW / 1_000 - 40 * 86_400);
  await runsOf("one").takeSlot({ max: 1 });
  const names = readdirSync(join(folder, "runs"));
  expect(names).not.toContain("push@host-before");
  expect(names).toContain("push@host-other");
});

test.skipIf(process.platform === "win32")(
  "files are for the group of the store's folder, whatever the umask",
  async () => {
    const before = process.umask(0o077);
    try {
      work("one", NOW, NOW);
      const slot = await runsOf("one").takeSlot({ max: 1 });
      expect(slot?.kind).toBe("slot");
      runsOf("two").end(did({ done: 0 }), NOW);
    } finally {
      process.umask(before);
    }
    const modeOf = (...path: string[]): string =>
      (statSync(join(folder, "runs", ...path)).mode & 0o777).toString(8);
    const [slots = ""] = readdirSync(join(folder, "runs")).filter((name) => name.includes("@"));
    expect([modeOf(), modeOf(slots), modeOf("empty")]).toEqual(["770", "770", "770"]);
    expect([modeOf("ledger.0"), modeOf("empty", "push")]).toEqual(["660", "660"]);
  },
);
