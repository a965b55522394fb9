import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openEmbeddedStore, THIS_HOST, type EmbeddedStore } from "../../../../src/adapters/embedded/store.ts";
import { LEASE_MS, type Broker } from "../../../../src/ports/broker.ts";
import { JumpingClock } from "../../../contract/embedded.harness.ts";
import {
  drain,
  idleOf,
  keep,
  named,
  names,
  series,
  take,
  testCodec,
} from "../../../contract/facts/ground.ts";
import { starvation } from "../../../starvation.ts";

const CHILD = join(import.meta.dirname, "owner-process.ts");
const BLOCKED_MS = 11 * 60_000;

let folder: string;
let clock: JumpingClock;
let upAheadMs: number;
let store: EmbeddedStore;
let owner: Broker;
let children: ChildProcess[];

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "memq-processes-")), "store");
  clock = new JumpingClock();
  upAheadMs = 0;
  const processes = { ...THIS_HOST, upMs: () => THIS_HOST.upMs() + upAheadMs };
  store = openEmbeddedStore({ folder, clock, processes });
  owner = store.queue("contract", { codec: testCodec });
  children = [];
});

afterEach(async () => {
  for (const child of children) await kill(child);
  await store.close();
  rmSync(join(folder, ".."), { recursive: true });
});

function launch(deed: string, ...numbers: number[]): ChildProcess {
  const args = ["--import", "jiti/register", CHILD, folder, deed, ...numbers.map(String)];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  return child;
}

/** The next thing a child says. */
async function heard(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the child cannot be heard");
  const [bytes] = (await once(child.stdout, "data")) as [Buffer];
  return bytes.toString().trim();
}

/** Time passes on every clock. */
function pass(ms: number): void {
  clock.jump(ms);
  upAheadMs += ms;
}

/** A process that holds `count` tasks and has started the first of them. */
async function holder(count: number, started: number): Promise<ChildProcess> {
  const child = launch("hold", count, started);
  expect(await heard(child)).toBe(`holds ${String(count)}`);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await ended(child);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

test("a running task whose holder was killed is shown with a lease that has ended", async () => {
  const [id = ""] = await keep(owner, named("a"));
  const child = await holder(1, 1);
  const before = await owner.find(id);
  expect(before).toMatchObject({ state: "running" });
  expect(before?.at).toBeGreaterThan(clock.now());
  await kill(child);
  expect((await owner.find(id))?.at).toBeLessThanOrEqual(clock.now());
  const { tasks } = await owner.list("running", { limit: 10 });
  expect(tasks.map(({ at }) => at <= clock.now())).toEqual([true]);
});

describe("owners that are processes", { timeout: 30_000 }, () => {
  test("what a killed process held is claimed within a second: what it had started is charged and alone", async () => {
    await keep(owner, ...series("t", 5).map((name) => named(name)));
    const child = await holder(5, 2);
    expect(await idleOf(owner)).toMatchObject({ kind: "held", count: 5 });
    const waiting = owner.wait(clock.now() + 60_000, new AbortController().signal);
    const [killedAt, starvedMs] = [performance.now(), starvation()];
    await kill(child);
    await waiting;
    expect(performance.now() - killedAt).toBeLessThan(1_000 + starvedMs());
    expect(await drain(owner)).toMatchObject([
      { name: "t0", attempt: 2, alone: true, together: 1 },
      { name: "t1", attempt: 2, alone: true, together: 1 },
      { name: "t2", attempt: 1, alone: false, together: 3 },
      { name: "t3", attempt: 1, alone: false },
      { name: "t4", attempt: 1, alone: false },
    ]);
    await store.close();
    expect(readdirSync(join(folder, "flights"))).toEqual([]);
  });

  test("without the journal of a killed process its tasks come back, none charged and none lost", async () => {
    await keep(owner, ...series("t", 3).map((name) => named(name)));
    await kill(await holder(3, 2));
    rmSync(join(folder, "flights"), { recursive: true });
    const met = await drain(owner);
    expect(met).toMatchObject(series("t", 3).map((name) => ({ name, attempt: 1, alone: false })));
  });

  test("a stopped process keeps its tasks until its lease ends, and is refused when it wakes up", async () => {
    await keep(owner, named("a"));
    const child = await holder(1, 1);
    child.kill("SIGSTOP");
    await vi.waitUntil(() => readFileSync(`/proc/${String(child.pid)}/stat`, "utf8").includes(") T "));
    clock.jump(LEASE_MS - 2_000);
    expect(await idleOf(owner)).toMatchObject({ kind: "held" });
    clock.jump(2_000);
    expect(names(await take(owner))).toEqual(["a"]);
    child.kill("SIGCONT");
    child.stdin?.write("settle\n");
    expect(await heard(child)).toBe("lost");
  });

  test("a living process whose handler keeps it from renewing keeps its tasks, though not for ever", async () => {
    await keep(owner, named("a"));
    await holder(1, 1);
    pass(LEASE_MS * 4);
    expect(await idleOf(owner)).toMatchObject({ kind: "held" });
    pass(BLOCKED_MS);
    expect(names(await take(owner))).toEqual(["a"]);
  });

  test("a living process keeps its tasks when the clock is set, however far", async () => {
    await keep(owner, named("a"));
    await holder(1, 1);
    clock.jump(10 * BLOCKED_MS);
    expect(await idleOf(owner)).toMatchObject({ kind: "held" });
  });

  test("a start that may take longer than any before keeps its tasks for as long", async () => {
    await keep(owner, named("a"));
    const child = launch("hold", 1, 1, 2 * BLOCKED_MS);
    expect(await heard(child)).toBe("holds 1");
    pass(2 * BLOCKED_MS);
    expect(await idleOf(owner)).toMatchObject({ kind: "held" });
    pass(LEASE_MS * 2);
    expect(names(await take(owner))).toEqual(["a"]);
  });

  test("what a dead process held can be cancelled", async () => {
    const [id = ""] = await keep(owner, named("a"));
    await kill(await holder(1, 1));
    expect(await owner.cancel(id)).toBe("cancelled");
    expect(await idleOf(owner)).toEqual({ kind: "empty" });
  });

  test("what ends its process among hundreds that take no time is started as often as it may be, and no other more than twice", async () => {
    const attempts = 3;
    const others = series("t", 600);
    await keep(
      owner,
      ...[...others.slice(0, 300), "killer", ...others.slice(300)].map((name) => named(name)),
    );
    for (let death = 0; death < attempts; death++) {
      const child = launch("rush", 50, attempts);
      await ended(child);
      expect(child.signalCode).toBe("SIGKILL");
    }
    await ended(launch("rush", 50, attempts));
    expect(await idleOf(owner)).toEqual({ kind: "empty" });
    const ran = readFileSync(join(folder, "..", "ran"), "utf8")
      .trim()
      .split("\n");
    const counts = new Map<unknown, number>();
    for (const line of ran) counts.set(JSON.parse(line), (counts.get(JSON.parse(line)) ?? 0) + 1);
    expect(counts.get("killer")).toBe(attempts);
    counts.delete("killer");
    expect(counts.size).toBe(600);
    expect(Math.max(...counts.values())).toBeLessThanOrEqual(2);
  }, 120_000);

  test("processes that publish, drain and are killed at the same time lose nothing", async () => {
    await keep(owner, ...series("early", 100).map((name) => named(name)));
    const publishers = [launch("publish", 200, 1), launch("publish", 600, 20)];
    const drainers = [launch("drain", 5), launch("drain", 16)];
    const victim = launch("drain", 7, 5);
    expect(await heard(victim)).toBe("runs");
    await kill(victim);
    await Promise.all([...publishers, ...drainers].map((child) => ended(child)));
    // Whoever found the queue empty before the last publish has left: the rest is ours.
    const rest = (await drain(owner)).map(({ name }) => JSON.stringify(name));
    const ran = existsSync(join(folder, "..", "ran")) ? readFileSync(join(folder, "..", "ran"), "utf8") : "";
    const all = [...ran.trim().split("\n"), ...rest];
    expect(new Set(all).size).toBe(900);
    expect(all.length - 900).toBeLessThanOrEqual(7); // the victim's last batch
  }, 120_000);
});
