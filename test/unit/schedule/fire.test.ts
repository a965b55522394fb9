import { describe, expect, test } from "vitest";
import type { Broker } from "../../../src/ports/broker.ts";
import { setPaused } from "../../../src/schedule/control.ts";
import { fireDue, type Firing, type Scheduling } from "../../../src/schedule/fire.ts";
import { memoryQueue, virtualClock, type TestQueue, type VirtualClock } from "../../../src/testing.ts";
import { clockTimes, configOf, schedulingOn } from "./ground.ts";
import type { ScheduleConfig } from "../../../src/config/config.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A host with its own clock, and what it does about schedules. */
class Host {
  readonly broker: Broker;
  readonly clock: VirtualClock;
  readonly #name: string;
  readonly scheduling: Scheduling & { schedules: readonly ScheduleConfig[] };

  constructor(
    queue: TestQueue,
    schedules: readonly ScheduleConfig[],
    options: { name?: string; at?: number } = {},
  ) {
    this.#name = options.name ?? "a";
    this.clock = virtualClock(options.at ?? Date.UTC(2026, 0, 1, 6));
    this.broker = queue.open();
    this.scheduling = schedulingOn(this.broker, this.clock, schedules);
  }

  use(schedules: readonly ScheduleConfig[]): void {
    this.scheduling.schedules = schedules;
  }

  fire(nowMs = this.clock.now()): Promise<readonly Firing[]> {
    return fireDue(this.scheduling, nowMs, { who: { host: this.#name, by: `${this.#name}:1` } });
  }

  /** The times of day that were fired. */
  async times(nowMs?: number): Promise<string[]> {
    const firings = await this.fire(nowMs);
    return firings.flatMap((firing) => {
      if (firing.kind === "failed") throw firing.error;
      return firing.kind === "fired" ? clockTimes(firing.times) : [];
    });
  }

  /** The same after as many minutes; what it published is done by then. */
  async after(minutes: number): Promise<string[]> {
    await this.clock.advance(minutes * MINUTE_MS);
    const times = await this.times();
    await this.work();
    return times;
  }

  /** Runs what waits; answers the keys. */
  async work(): Promise<readonly (string | undefined)[]> {
    const { claims } = await this.broker.claim({ limit: 200, atOnce: 1 });
    for (const claim of claims) await this.broker.start(claim, { last: false });
    await this.broker.settle(claims.map((claim) => ({ claim, outcome: { kind: "done" } })));
    return claims.map(({ task }) => task.key);
  }
}

const hostWith = (...schedules: readonly ScheduleConfig[]): Host => new Host(memoryQueue(), schedules);

describe("a schedule", () => {
  test("fires each of its times once, with a task of its own", async () => {
    const host = hostWith(configOf("daily", "30 7 * * *", { call: "-C Mailer send 'to all' 2" }));
    expect(await host.times()).toEqual([]);
    expect(await host.after(80)).toEqual([]);
    await host.clock.advance(10 * MINUTE_MS);
    expect(await host.times()).toEqual(["07:30"]);
    expect(await host.times()).toEqual([]);
    const record = await host.broker.findKey("schedule:daily@2026-01-01T07:30Z");
    expect(record).toMatchObject({
      state: "waiting",
      task: { class: "Mailer", method: "send", args: ["to all", "2"] },
    });
    expect(await host.work()).toEqual(["schedule:daily@2026-01-01T07:30Z"]);
    expect(await host.after(24 * 60)).toEqual(["07:30"]);
  });

  test("that is new fires what falls into this very minute, and nothing before", async () => {
    const host = hostWith(configOf("hourly", "0 * * * *"));
    expect(await host.times(Date.UTC(2026, 0, 1, 7, 0, 59))).toEqual(["07:00"]);
    const other = hostWith(configOf("hourly", "0 * * * *"));
    expect(await other.times(Date.UTC(2026, 0, 1, 7, 1, 0))).toEqual([]);
  });

  test("that got other times begins anew, without making up for times it never had", async () => {
    const host = hostWith(configOf("report", "0 7 * * *"));
    await host.times();
    expect(await host.after(90)).toEqual(["07:00"]);
    host.use([configOf("report", "*/10 * * * *")]);
    expect(await host.after(65)).toEqual([]);
    expect(await host.after(5)).toEqual(["08:40"]);
  });

  test("does not wait for the task of the time before", async () => {
    const host = hostWith(configOf("slow", "*/10 * * * *"));
    await host.times();
    for (let tick = 0; tick < 3; tick++) {
      await host.clock.advance(10 * MINUTE_MS);
      await host.times();
    }
    expect(await host.broker.depth()).toMatchObject({ waiting: 4 });
  });

  test("that fails is reported, and the others fire", async () => {
    const host = hostWith(
      configOf("big", "0 7 * * *", { call: `report ${"x".repeat(20_000)}` }),
      configOf("b", "0 7 * * *"),
    );
    await host.times();
    await host.clock.advance(HOUR_MS);
    const [big, small] = await host.fire();
    expect(big).toMatchObject({ kind: "failed", schedule: "big", error: { code: "TASK_TOO_LARGE" } });
    expect(small).toMatchObject({ kind: "fired", schedule: "b", ids: [expect.any(String)] });
  });

  test("that failed is tried again by the next run", async () => {
    const host = hostWith(configOf("big", "0 7 * * *", { call: `report ${"x".repeat(20_000)}` }));
    await host.times();
    await host.clock.advance(HOUR_MS);
    expect(await host.fire()).toMatchObject([{ kind: "failed" }]);
    host.use([configOf("big", "0 7 * * *")]);
    expect(await host.times()).toEqual(["07:00"]);
  });

  test("only those of the queues asked for are looked at", async () => {
    const broker = memoryQueue().open();
    const clock = virtualClock(Date.UTC(2026, 0, 1, 7));
    const memq = schedulingOn(broker, clock, [
      configOf("a", "0 7 * * *"),
      configOf("b", "0 7 * * *", { queue: "mail" }),
    ]);
    const firings = await fireDue(memq, clock.now(), { queues: ["mail"] });
    expect(firings.map(({ schedule }) => schedule)).toEqual(["b"]);
  });
});

describe("times that passed while nothing ran", () => {
  test("are made up for once by default", async () => {
    const host = hostWith(configOf("often", "*/10 * * * *"));
    await host.times();
    expect(await host.after(24 * 60 + 5)).toEqual(["06:00"]);
    expect(await host.after(5)).toEqual(["06:10"]);
  });

  test("are made up for one by one with catch-up = all, in their order, each with its key", async () => {
    const host = hostWith(configOf("each", "0 * * * *", { catchUp: "all" }));
    await host.times();
    await host.work();
    await host.clock.advance(3 * HOUR_MS + MINUTE_MS);
    expect(await host.times()).toEqual(["07:00", "08:00", "09:00"]);
    expect(await host.work()).toEqual(
      ["07", "08", "09"].map((hour) => `schedule:each@2026-01-01T${hour}:00Z`),
    );
  });

  test("are made up for no more than a hundred times, and those let go are said", async () => {
    const host = hostWith(configOf("each", "*/5 * * * *", { catchUp: "all" }));
    await host.times();
    await host.clock.advance(24 * HOUR_MS);
    const [firing] = await host.fire();
    if (firing?.kind !== "fired") throw new Error("it did not fire");
    expect(firing.times).toHaveLength(100);
    expect(firing.times.at(-1)).toBe(host.clock.now());
    expect(firing.letGoMs).toBe(host.clock.now() - 500 * MINUTE_MS);
  });

  test("are let go with catch-up = none, and that is said; what is on time is fired", async () => {
    const host = hostWith(configOf("news", "0 7 * * *", { catchUp: "none" }));
    await host.times();
    await host.clock.advance(5 * HOUR_MS);
    expect(await host.fire()).toEqual([
      { kind: "letGo", schedule: "news", letGoMs: Date.UTC(2026, 0, 1, 7) },
    ]);
    expect(await host.fire()).toEqual([]);
    expect(await host.after(19 * 60)).toEqual([]);
    expect(await host.after(100)).toEqual(["07:00"]);
  });
});

describe("a clock that is set back", () => {
  test("by minutes doubles nothing", async () => {
    const host = hostWith(configOf("often", "*/5 * * * *"));
    expect(await host.times()).toEqual(["06:00"]);
    await host.work();
    const at = host.clock.now();
    for (const minutes of [-4, -3, -2, -1, 0, 4])
      expect(await host.times(at + minutes * MINUTE_MS)).toEqual([]);
    expect(await host.times(at + 5 * MINUTE_MS)).toEqual(["06:05"]);
  });

  test("by hours does not stop a rhythm", async () => {
    const host = hostWith(configOf("often", "*/10 * * * *"));
    expect(await host.times(Date.UTC(2026, 0, 1, 10))).toEqual(["10:00"]);
    await host.work();
    const fired: string[] = [];
    for (let at = Date.UTC(2026, 0, 1, 8, 1); at < Date.UTC(2026, 0, 1, 10, 20); at += MINUTE_MS) {
      fired.push(...(await host.times(at)));
      await host.work();
    }
    expect(fired).toEqual([
      ...["08:10", "08:20", "08:30", "08:40", "08:50", "09:00", "09:10", "09:20", "09:30", "09:40", "09:50"],
      ...["10:00", "10:10"],
    ]);
  });

  test("by up to three hours does not run a fixed time twice", async () => {
    const host = hostWith(configOf("daily", "0 10 * * *"));
    expect(await host.times(Date.UTC(2026, 0, 1, 10))).toEqual(["10:00"]);
    await host.work();
    for (let at = Date.UTC(2026, 0, 1, 7); at < Date.UTC(2026, 0, 1, 10, 20); at += 10 * MINUTE_MS) {
      expect(await host.times(at)).toEqual([]);
    }
    expect(await host.times(Date.UTC(2026, 0, 2, 10, 3))).toEqual(["10:00"]);
  });

  test("after it was years ahead leaves a schedule as if it were new", async () => {
    const host = hostWith(configOf("daily", "0 10 * * *"));
    expect(await host.times(Date.UTC(2036, 0, 1, 10))).toEqual(["10:00"]);
    await host.work();
    expect(await host.times(Date.UTC(2026, 0, 1, 9))).toEqual([]);
    expect(await host.times(Date.UTC(2026, 0, 1, 10, 9))).toEqual(["10:00"]);
    await host.work();
    expect(await host.times(Date.UTC(2026, 0, 2, 10, 9))).toEqual(["10:00"]);
  });
});

test("a clock that is set forward makes up for what it jumped over, once", async () => {
  const host = hostWith(configOf("often", "*/10 * * * *"));
  await host.times();
  expect(await host.after(3 * 60 + 7)).toEqual(["09:00"]);
  expect(await host.after(3)).toEqual(["09:10"]);
});

describe("several hosts", () => {
  test("that look at the same instant publish one task", async () => {
    const queue = memoryQueue();
    const schedules = [configOf("daily", "0 7 * * *"), configOf("all", "0 * * * *", { catchUp: "all" })];
    const hosts = ["a", "b", "c"].map((name) => new Host(queue, schedules, { name }));
    await Promise.all(hosts.map((host) => host.fire()));
    await Promise.all(hosts.map((host) => host.work()));
    const at = Date.UTC(2026, 0, 1, 7, 0, 1);
    const firings = await Promise.all(hosts.map((host) => host.fire(at)));
    expect(firings.flat().map(({ kind, schedule }) => [kind, schedule])).toHaveLength(2);
    expect(await hosts[0]?.broker.depth()).toMatchObject({ waiting: 2 });
  });

  test("publish it once though the first has done it before the second writes", async () => {
    const queue = memoryQueue();
    const schedules = [configOf("daily", "0 7 * * *")];
    const [fast, slow] = [
      new Host(queue, schedules, { name: "a" }),
      new Host(queue, schedules, { name: "b" }),
    ];
    await fast.fire();
    const at = Date.UTC(2026, 0, 1, 7, 10);
    let isOver = false;
    const { notes } = slow.broker;
    const late = new Proxy(slow.broker, {
      get: (broker, member) =>
        member !== "notes"
          ? (Reflect.get(broker, member) as unknown)
          : {
              read: async (name: string) => {
                const note = await notes.read(name);
                if (!isOver) {
                  isOver = true;
                  expect(await fast.times(at)).toEqual(["07:00"]);
                  expect(await fast.work()).toHaveLength(1);
                }
                return note;
              },
              write: notes.write.bind(notes),
            },
    });
    const memq = schedulingOn(late, slow.clock, schedules);
    expect(await fireDue(memq, at, { who: { host: "b", by: "b:1" } })).toEqual([]);
    expect(await slow.broker.depth()).toMatchObject({ waiting: 0, running: 0 });
  });

  test("take over from one that died before it published, and only a minute later", async () => {
    const queue = memoryQueue();
    const schedules = [configOf("daily", "0 7 * * *")];
    const [dying, other] = [
      new Host(queue, schedules, { name: "a" }),
      new Host(queue, schedules, { name: "b" }),
    ];
    await other.fire();
    const at = Date.UTC(2026, 0, 1, 7);
    const dead = schedulingOn(dying.broker, dying.clock, schedules);
    const never = { ...dead, config: dead.config, publish: () => new Promise<string>(() => undefined) };
    void fireDue(never, at, { who: { host: "a", by: "a:1" } });
    await new Promise((resolve) => setImmediate(resolve));
    expect(await other.times(at + 30_000)).toEqual([]);
    expect(await other.times(at + MINUTE_MS)).toEqual(["07:00"]);
    expect(await other.times(at + 2 * MINUTE_MS)).toEqual([]);
    expect(await other.work()).toEqual(["schedule:daily@2026-01-01T07:00Z"]);
  });

  test("are not disturbed by one that stalled, was taken over from, and comes back", async () => {
    const queue = memoryQueue();
    const schedules = [configOf("often", "*/10 * * * *")];
    const [stalled, other] = [
      new Host(queue, schedules, { name: "a" }),
      new Host(queue, schedules, { name: "b" }),
    ];
    await other.fire();
    await other.work();
    const at = other.clock.now() + 10 * MINUTE_MS;
    const memq = schedulingOn(stalled.broker, stalled.clock, schedules);
    let goOn: () => void = () => undefined;
    const stall = new Promise<void>((resolve) => (goOn = resolve));
    const slow: Scheduling = {
      ...memq,
      publish: (...args) => stall.then(() => memq.publish(...args)),
    };
    const late = fireDue(slow, at, { who: { host: "a", by: "a:1" } });
    await new Promise((resolve) => setImmediate(resolve));
    expect(await other.times(at + MINUTE_MS)).toEqual(["06:10"]);
    // The next time is under way by somebody who is about to publish.
    const never = { ...memq, publish: () => new Promise<string>(() => undefined) };
    void fireDue(never, at + 10 * MINUTE_MS, { who: { host: "c", by: "c:1" } });
    await new Promise((resolve) => setImmediate(resolve));
    goOn();
    expect(await late).toMatchObject([{ kind: "fired" }]); // the key led it to the task that is there already
    expect(await other.broker.depth()).toMatchObject({ waiting: 1 });
    expect(await other.times(at + 10 * MINUTE_MS + 30_000)).toEqual([]);
    expect(await other.times(at + 11 * MINUTE_MS)).toEqual(["06:20"]);
  });

  test("of which one has a clock hours behind do not fire a time again and again", async () => {
    const queue = memoryQueue();
    const schedules = [configOf("daily", "0 7 * * *")];
    const [right, wrong] = [
      new Host(queue, schedules, { name: "a" }),
      new Host(queue, schedules, { name: "b" }),
    ];
    const fired: string[] = [];
    for (let at = Date.UTC(2026, 0, 1, 6, 59); at < Date.UTC(2026, 0, 2, 6, 30); at += 10 * MINUTE_MS) {
      fired.push(...(await right.times(at)));
      await right.work();
      fired.push(...(await wrong.times(at - 5 * HOUR_MS)));
      await wrong.work();
    }
    expect(fired).toEqual(["07:00"]);
  });
});

describe("a paused schedule", () => {
  const setPausedAt = (host: Host, isPaused: boolean): Promise<void> =>
    setPaused(host.scheduling, configOf("often", "*/10 * * * *"), { isPaused, nowMs: host.clock.now() });

  test("fires nothing until it is resumed, and nothing of the pause then", async () => {
    const host = hostWith(configOf("often", "*/10 * * * *"));
    await host.times();
    await setPausedAt(host, true);
    expect(await host.after(25)).toEqual([]);
    await setPausedAt(host, false);
    expect(await host.after(0)).toEqual([]);
    expect(await host.after(5)).toEqual(["06:30"]);
  });

  test("stays paused though its times are changed, and though no run had seen it before", async () => {
    const host = hostWith(configOf("often", "*/5 * * * *"));
    await setPausedAt(host, true);
    expect(await host.after(10)).toEqual([]);
    await setPausedAt(host, false);
    expect(await host.after(5)).toEqual(["06:15"]);
  });

  test("that is paused while it fires publishes that time, and no other", async () => {
    const host = hostWith(configOf("often", "*/10 * * * *"));
    const memq = { ...host.scheduling, config: host.scheduling.config };
    const pausing: Scheduling = {
      ...memq,
      publish: async (...args) => {
        await setPausedAt(host, true);
        return memq.publish(...args);
      },
    };
    const who = { host: "a", by: "a:1" };
    expect(await fireDue(pausing, host.clock.now(), { who })).toMatchObject([{ kind: "fired" }]);
    expect(await host.after(10)).toEqual([]);
    await setPausedAt(host, false);
    expect(await host.after(10)).toEqual(["06:20"]);
  });
});

test("a memory that was lost costs no more than one time fired again", async () => {
  const schedules = [configOf("often", "*/10 * * * *")];
  const before = new Host(memoryQueue(), schedules);
  await before.times();
  expect(await before.after(10)).toEqual(["06:10"]);
  const after = new Host(memoryQueue(), schedules, { at: before.clock.now() + 20_000 });
  expect(await after.times()).toEqual(["06:10"]);
  expect(await after.times()).toEqual([]);
  expect(await after.after(10)).toEqual(["06:20"]);
});

test("a note that cannot be read is written anew, and one of a newer memq is left alone", async () => {
  const host = hostWith(configOf("often", "*/10 * * * *"));
  await host.broker.notes.write("schedule:often", "{", undefined);
  expect(await host.times()).toEqual(["06:00"]);
  const note = await host.broker.notes.read("schedule:often");
  await host.broker.notes.write("schedule:often", `{"v":2}`, note?.version);
  await host.clock.advance(10 * MINUTE_MS);
  expect(await host.fire()).toMatchObject([{ kind: "failed", error: { code: "STORE_FOREIGN" } }]);
});
