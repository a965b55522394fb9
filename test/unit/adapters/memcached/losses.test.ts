import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMemcachedBroker } from "../../../../src/adapters/memcached/broker.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import { plainCodec } from "../../../../src/task/codec.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";

let now: number;
let stats: Record<string, string>;
let memory: string;
let server: FakeMemcached;

beforeEach(() => {
  now = Date.UTC(2026, 0, 1);
  stats = { uptime: "100000", cmd_flush: "0" };
  memory = join(mkdtempSync(join(tmpdir(), "memq-losses-")), "memq-data");
  server = new FakeMemcached(() => now);
});
afterEach(() => {
  rmSync(dirname(memory), { recursive: true });
});

const open = (): Broker =>
  openMemcachedBroker({
    wire: {
      ...server.wire(),
      stats: () =>
        Promise.resolve(new Map(Object.entries({ ...stats, time: String(Math.floor(now / 1_000)) }))),
    },
    queue: "q",
    codec: plainCodec(10_000),
    memory,
    clock: { now: () => now, upMs: () => now, until: () => Promise.resolve() },
    elapsedMs: () => now,
  });

/** The queue is known on this host; then the server forgets everything. */
async function lostQueue(): Promise<Broker> {
  const owner = open();
  await owner.publish([{ method: "m", args: [] }]);
  expect(await owner.losses()).toEqual([]);
  now += 60_000;
  server.flush();
  return open();
}

test.skipIf(process.platform === "win32")(
  "who publishes first leaves what is remembered open to its group: whoever runs remembers there too",
  async () => {
    await open().publish([{ method: "m", args: [] }]);
    const [file = ""] = readdirSync(memory);
    expect(statSync(memory).mode & 0o7777).toBe(0o2770);
    expect(statSync(join(memory, file)).mode & 0o777).toBe(0o660);
  },
);

test("a loss that is only looked at is told all the same, and then no more", async () => {
  const owner = await lostQueue();
  stats = { uptime: "2", cmd_flush: "0" };
  const told = [{ at: now, cause: "restart" }];
  expect(await owner.losses({ keep: true })).toEqual(told);
  expect(await owner.losses({ keep: true })).toEqual(told);
  expect(await owner.losses()).toEqual(told);
  expect(await owner.losses({ keep: true })).toEqual([]);
  expect(await owner.losses()).toEqual([]);
});

test.each([
  { uptime: "59", cmd_flush: "0", cause: "restart" },
  { uptime: "62", cmd_flush: "0", cause: "restart" }, // it counts whole seconds, and begins at two
  { uptime: "62", cmd_flush: "1", cause: "flush" },
  { uptime: "64", cmd_flush: "0", cause: "unknown" },
])(
  "a server up for $uptime s of the last 60, with $cmd_flush flushes: $cause",
  async ({ cause, ...told }) => {
    const owner = await lostQueue();
    stats = told;
    expect(await owner.losses()).toMatchObject([{ cause }]);
  },
);
