import { describe, expect, test } from "vitest";
import { judgeTrace, withTold } from "../../../src/doctor/queue-trace.ts";
import { judgeClock } from "../../../src/doctor/server-clock.ts";
import { judgeHealth } from "../../../src/doctor/server-health.ts";
import { judgeRoom } from "../../../src/doctor/server-room.ts";
import { judgeSettings } from "../../../src/doctor/server-settings.ts";
import { percentText, sizeText } from "../../../src/doctor/server-stats.ts";
import { judgeTrial } from "../../../src/doctor/server-trial.ts";
import type { Verdict } from "../../../src/doctor/verdict.ts";
import type { QueueTrace, ServerStats } from "../../../src/ports/examination.ts";

type Stats = Readonly<Record<string, string | number>>;
const mapOf = (stats: Stats): Map<string, string> =>
  new Map(Object.entries(stats).map(([name, value]) => [name, String(value)]));

// As memcached 1.6.18 tells them, started with -M -o slab_automove_window=3 -l 127.0.0.1.
const GOOD_SETTINGS: Stats = {
  maxbytes: 67_108_864,
  maxconns: 1024,
  inter: "127.0.0.1",
  domain_socket: "NULL",
  evictions: "off",
  cas_enabled: "yes",
  binding_protocol: "auto-negotiate",
  auth_enabled_sasl: "no",
  item_size_max: 1_048_576,
  slab_reassign: "yes",
  slab_automove: 1,
  slab_automove_window: 3,
};
const GOOD_GENERAL: Stats = {
  uptime: 3_600,
  version: "1.6.18",
  max_connections: 1024,
  curr_connections: 3,
  rejected_connections: 0,
  listen_disabled_num: 0,
  cmd_flush: 0,
  store_no_memory: 0,
  limit_maxbytes: 67_108_864,
  slab_reassign_evictions_nomem: 0,
  slab_reassign_busy_deletes: 0,
  slab_global_page_pool: 0,
  bytes: 1_000_000,
  evictions: 0,
};
const DEMANDS = { maxTaskBytes: 900 * 1_024, signsIn: false };

const byCheck = (verdicts: readonly Verdict[]): Record<string, string> =>
  Object.fromEntries(verdicts.map(({ check, verdict }) => [check, verdict]));

const settings = (changes: Stats, demands = DEMANDS): readonly Verdict[] =>
  judgeSettings(mapOf({ ...GOOD_SETTINGS, ...changes }), demands);

const statsOf = (
  general: Stats,
  more: Partial<Record<"settings" | "items" | "slabs", Stats>> = {},
): ServerStats => ({
  general: mapOf({ ...GOOD_GENERAL, ...general }),
  settings: mapOf({ ...GOOD_SETTINGS, ...more.settings }),
  items: mapOf(more.items ?? {}),
  slabs: mapOf(more.slabs ?? {}),
});

describe("of the settings of a memcached", () => {
  test("none is at fault when it was started as docs/production.md says", () => {
    expect(byCheck(settings({}))).toEqual({
      "evictions-off": "ok",
      cas: "ok",
      protocol: "ok",
      "item-size": "ok",
      automove: "ok",
      bind: "ok",
    });
  });

  test.each<[Stats, string, string, number]>([
    [{ evictions: "on" }, "evictions-off", "warn", 0],
    [{ cas_enabled: "no" }, "cas", "fail", 78],
    [{ binding_protocol: "ascii" }, "protocol", "fail", 69],
    [{ binding_protocol: "binary" }, "protocol", "ok", 0],
    [{ item_size_max: 524_288 }, "item-size", "warn", 0],
    [{ item_size_max: 922_624 }, "item-size", "ok", 0],
    [{ item_size_max: 922_623 }, "item-size", "warn", 0],
    [{ slab_automove_window: 30 }, "automove", "warn", 0],
    [{ slab_automove: 0 }, "automove", "warn", 0],
    [{ slab_reassign: "no" }, "automove", "warn", 0],
    [{ inter: "NULL" }, "bind", "warn", 0],
    [{ inter: "" }, "bind", "warn", 0],
    [{ inter: "0.0.0.0" }, "bind", "warn", 0],
    [{ inter: "NULL", auth_enabled_sasl: "yes" }, "bind", "ok", 0],
    [{ inter: "127.0.0.1,10.1.0.7" }, "bind", "ok", 0],
    [{ inter: "127.0.0.1,8.8.8.8" }, "bind", "warn", 0],
    [{ inter: "172.16.0.1" }, "bind", "ok", 0],
    [{ inter: "172.32.0.1" }, "bind", "warn", 0],
    [{ inter: "fd12::1" }, "bind", "ok", 0],
    [{ inter: "::" }, "bind", "warn", 0],
    [{ inter: "[::1]" }, "bind", "ok", 0],
    [{ inter: "::1" }, "bind", "ok", 0],
    [{ inter: "[fd12:3456::1]:11211" }, "bind", "ok", 0],
    [{ inter: "localhost:11211" }, "bind", "ok", 0],
    [{ inter: "fd.example.com" }, "bind", "warn", 0],
    [{ inter: "", domain_socket: "NULL" }, "bind", "warn", 0],
  ])("%j is %s: %s", (changes, check, verdict, exit) => {
    const found = settings(changes).find((one) => one.check === check);
    expect(found).toMatchObject({ verdict, exit });
    expect(found?.fix === undefined).toBe(verdict === "ok");
  });

  test("a user name that it does not ask for is told", () => {
    const signsIn = { ...DEMANDS, signsIn: true };
    expect(byCheck(settings({}, signsIn))["sign-in"]).toBe("warn");
    expect(byCheck(settings({ auth_enabled_sasl: "yes" }, signsIn))["sign-in"]).toBe("ok");
  });

  test("what it does not tell is passed over", () => {
    expect(judgeSettings(new Map(), DEMANDS)).toEqual([]);
  });
});

describe("of the statistics of a memcached", () => {
  test("none is at fault when it is well", () => {
    const verdicts = byCheck(judgeHealth(statsOf({})));
    expect(verdicts).toEqual({
      version: "ok",
      uptime: "ok",
      memory: "ok",
      evicted: "ok",
      reassigned: "ok",
      refused: "ok",
      flushed: "ok",
      connections: "ok",
      "turned-away": "ok",
    });
  });

  test.each<[Stats, string, string, number]>([
    [{ version: "1.6.0" }, "version", "ok", 0],
    [{ version: "1.5.22" }, "version", "warn", 0],
    [{ version: "1.10.0" }, "version", "ok", 0],
    [{ version: "2.0.0-rc1" }, "version", "ok", 0],
    [{ bytes: 53_600_000 }, "memory", "ok", 0],
    [{ bytes: 53_700_000 }, "memory", "warn", 0],
    [{ bytes: 63_700_000 }, "memory", "warn", 0],
    [{ bytes: 63_800_000 }, "memory", "fail", 75],
    [{ bytes: 70_000_000 }, "memory", "fail", 75],
    [{ evictions: 1 }, "evicted", "fail", 74],
    [{ slab_reassign_evictions_nomem: 21_845 }, "reassigned", "fail", 74],
    [{ slab_reassign_busy_deletes: 1 }, "reassigned", "fail", 74],
    [{ store_no_memory: 3 }, "refused", "warn", 0],
    [{ cmd_flush: 1 }, "flushed", "warn", 0],
    [{ curr_connections: 819 }, "connections", "ok", 0],
    [{ curr_connections: 820 }, "connections", "warn", 0],
    [{ rejected_connections: 2 }, "turned-away", "warn", 0],
    [{ listen_disabled_num: 2 }, "turned-away", "warn", 0],
  ])("%j is %s: %s", (changes, check, verdict, exit) => {
    const found = judgeHealth(statsOf(changes)).find((one) => one.check === check);
    expect(found).toMatchObject({ verdict, exit });
    expect(found?.fix === undefined).toBe(verdict === "ok");
  });

  test("writes refused for want of memory are summed over the sizes, and not counted twice", () => {
    const items = { "items:5:outofmemory": 3, "items:9:outofmemory": 4, "items:9:number": 100 };
    const refused = judgeHealth(statsOf({ store_no_memory: 5 }, { items })).find(
      ({ check }) => check === "refused",
    );
    expect(refused?.says).toContain("since it was started: 7;");
  });

  test("what items take counts, not only what they hold", () => {
    const slabs = { "10:chunk_size": 1_184, "10:used_chunks": 56_000, "10:free_chunks": 0 };
    const memory = judgeHealth(statsOf({ bytes: 55_000_000 }, { slabs })).find(
      ({ check }) => check === "memory",
    );
    expect(memory).toMatchObject({ verdict: "fail", exit: 75 });
    expect(memory?.says).toContain("63 MB of 64 MB");
  });

  test("what happens when memory is full is told as it will be", () => {
    const says = (evictions: string): string | undefined =>
      judgeHealth(statsOf({ bytes: 60_000_000 }, { settings: { evictions } })).find(
        ({ check }) => check === "memory",
      )?.says;
    expect(says("off")).toBe(
      "57 MB of 64 MB memory are used (89 %); when it is full, publishers are refused",
    );
    expect(says("on")).toContain("tasks are thrown away");
  });

  test("what it does not tell is passed over", () => {
    const none = { general: new Map(), settings: new Map(), items: new Map(), slabs: new Map() };
    expect(byCheck(judgeHealth(none))).toEqual({ refused: "ok" });
  });
});

describe("of the room for what a queue keeps", () => {
  const NEEDS = [
    { what: "a small task", bytes: 290 },
    { what: "a bundle of tasks", bytes: 16_140 },
  ];
  const small = (free: number): Stats => ({
    "5:chunk_size": 304,
    "5:used_chunks": 10,
    "5:free_chunks": free,
  });
  const large = (free: number): Stats => ({
    "22:chunk_size": 17_400,
    "22:used_chunks": 10,
    "22:free_chunks": free,
  });
  const room = (slabs: Stats, general: Stats = {}): Verdict | undefined =>
    judgeRoom(statsOf(general, { slabs: { total_malloced: 67_108_864, ...slabs } }), NEEDS);

  test.each<[string, Stats, Stats, string | undefined]>([
    ["memory that is not bound yet", { ...small(0), total_malloced: 60_000_000 }, {}, "ok"],
    ["pages that were given back", small(0), { slab_global_page_pool: 2 }, "ok"],
    ["free chunks of every size", { ...small(5_000), ...large(3) }, {}, "ok"],
    ["free chunks of one size only", { ...small(100_000), ...large(0) }, {}, "warn"],
    ["no memory at all for one size", small(100_000), {}, "warn"],
    ["no free memory, as is told elsewhere", { ...small(0), ...large(0) }, {}, undefined],
  ])("%s", (_name, slabs, general, verdict) => {
    expect(room(slabs, general)?.verdict).toBe(verdict);
  });

  test("what a server of 2 MB has set aside is not called free beside its 2 MB", () => {
    const slabs = { ...small(50_000), ...large(60), total_malloced: 16_777_216 };
    expect(room(slabs, { limit_maxbytes: 2_097_152 })).toMatchObject({
      verdict: "ok",
      says: "every size has room left, in pages that it set aside beyond its 2 MB",
    });
  });

  test("a warning names what finds none, and how much is of no use", () => {
    const { says, fix } = room(small(100_000)) ?? {};
    expect(says).toBe(
      "29 MB are free, but bound to items of other sizes: there is no room for a bundle of tasks",
    );
    expect(fix).toContain("never send `slabs reassign`");
  });

  test("a server that does not tell is passed over", () => {
    expect(judgeRoom({ ...statsOf({}), slabs: new Map() }, NEEDS)).toBeUndefined();
  });
});

describe("of the clock of a server", () => {
  const AT = 1_800_000_000_000;
  test.each<[string, number, string, string]>([
    ["the same", 0, "ok", "agrees"],
    ["as late as its timer", -2, "ok", "agrees"],
    ["5 s ahead", 5, "ok", "agrees"],
    ["6 s ahead", 6, "warn", "6.0s ahead of"],
    ["7 s behind", -7, "ok", "agrees"],
    ["9 s behind", -9, "warn", "7.0s behind"],
    ["an hour behind", -3_602, "warn", "1h behind"],
  ])("%s", (_name, seconds, verdict, says) => {
    const found = judgeClock({
      server: "h:1",
      trial: [],
      needs: [],
      stats: statsOf({ time: AT / 1_000 + seconds }),
      clock: { askedAt: AT, answeredAt: AT },
    });
    expect(found).toMatchObject({ verdict });
    expect(found?.says).toContain(says);
  });

  test("the time that the answer took is not held against it", () => {
    const stats = statsOf({ time: AT / 1_000 + 10 });
    const clock = { askedAt: AT, answeredAt: AT + 12_000 };
    expect(judgeClock({ server: "h:1", trial: [], needs: [], stats, clock })?.verdict).toBe("ok");
  });
});

describe("of the trial", () => {
  test("steps that all went well are one line", () => {
    expect(judgeTrial([{ step: "add" }, { step: "get" }])).toMatchObject({ verdict: "ok", exit: 0 });
  });

  test("the step that failed is named", () => {
    const found = judgeTrial([
      { step: "add" },
      { step: "stale cas refused", fault: "it was done all the same" },
    ]);
    expect(found).toMatchObject({ verdict: "fail", exit: 69 });
    expect(found.says).toContain(`"stale cas refused" failed: it was done all the same`);
  });

  test("a full server is to be tried later", () => {
    const found = judgeTrial([{ step: "add", fault: "there is no memory for it", isFull: true }]);
    expect(found).toMatchObject({ verdict: "fail", exit: 75 });
  });
});

describe("of what the server has of a queue", () => {
  const NOW = 1_800_000_000_000;
  const seenAt = NOW - 3_600_000;
  test.each<[QueueTrace, string, number, string]>([
    [{ kind: "absent" }, "ok", 0, "nothing was published yet"],
    [{ kind: "unseen" }, "ok", 0, "it is there"],
    [{ kind: "whole", seenAt }, "ok", 0, "nothing was lost since 1h ago"],
    [{ kind: "begunAnew", seenAt }, "fail", 74, "the server was started 10m ago"],
    [{ kind: "torn", seenAt, atLeast: 2 }, "fail", 74, "2 lists of waiting tasks vanished"],
    [{ kind: "newer" }, "fail", 78, "newer memq"],
    [{ kind: "broken" }, "fail", 74, "damaged"],
  ])("%j", (trace, verdict, exit, says) => {
    const found = judgeTrace(trace, { nowMs: NOW, serverStartedAt: NOW - 600_000 });
    expect(found).toMatchObject({ verdict, exit });
    expect(found.says).toContain(says);
  });

  test("nobody is told that nothing was lost from a server that has thrown items away", () => {
    const found = judgeTrace({ kind: "whole", seenAt }, { nowMs: NOW, thrownAway: 23_142 });
    expect(found).toMatchObject({ verdict: "warn", exit: 0 });
    expect(found.says).toContain("23142 items");
  });

  test("a loss that a run has told stays a warning, with when and how many", () => {
    const whole = judgeTrace({ kind: "whole", seenAt }, { nowMs: NOW });
    const told = ["at least 12 tasks were lost (eviction), found out 2026-01-31 08:21:00"];
    expect(withTold(whole, told)).toMatchObject({ check: "loss", verdict: "warn", exit: 0 });
    expect(withTold(whole, told).says).toContain(told[0]);
    expect(withTold(whole, [])).toBe(whole);
    const gone = judgeTrace({ kind: "begunAnew", seenAt }, { nowMs: NOW });
    expect(withTold(gone, told)).toMatchObject({ verdict: "fail", exit: 74 });
  });

  test("a server that runs for longer than the queue was known was emptied", () => {
    const found = judgeTrace({ kind: "begunAnew", seenAt }, { nowMs: NOW, serverStartedAt: seenAt - 1 });
    expect(found.says).toContain("emptied");
  });
});

test("sizes and shares are told for people", () => {
  expect([0, 512, 1_024, 10_240, 1_572_864, 67_108_864, 3_221_225_472].map(sizeText)).toEqual([
    "0 KB",
    "0.5 KB",
    "1 KB",
    "10 KB",
    "1.5 MB",
    "64 MB",
    "3 GB",
  ]);
  expect(percentText(799, 1_000)).toBe("79 %");
});
