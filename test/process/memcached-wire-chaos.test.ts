import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openMemjsWire } from "../../src/adapters/memcached/memjs-wire.ts";
import type { Answer, Operation, Wire } from "../../src/adapters/memcached/wire.ts";
import { startFaultProxy, type Fault } from "../servers/fault-proxy.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";

// How many histories; MEMQ_CHAOS_RUNS=500 for a long look.
const RUNS = Number(process.env["MEMQ_CHAOS_RUNS"] ?? 12);

let server: MemcachedServer;
let histories = 0;

beforeAll(async () => {
  if (noMemcached === undefined) server = await startMemcached();
});
afterAll(async () => {
  if (noMemcached === undefined) await server.stop();
});
beforeEach((context) => {
  if (noMemcached !== undefined) context.skip(noMemcached);
});

const cut = fc.constantFrom("end" as const, "reset" as const);
const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({ kind: fc.constant("cutBefore" as const), cut }),
  fc.record({ kind: fc.constant("cutAfter" as const), cut }),
  fc.record({ kind: fc.constant("half" as const), bytes: fc.integer({ min: 0, max: 400 }), cut }),
  fc.record({ kind: fc.constant("delayAnswers" as const), ms: fc.integer({ min: 1, max: 400 }) }),
  fc.record({ kind: fc.constant("holdRequests" as const) }),
  fc.record({ kind: fc.constant("holdAnswers" as const) }),
  fc.record({ kind: fc.constant("blackhole" as const) }),
  fc.record({
    kind: fc.constant("garbage" as const),
    bytes: fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes)),
  }),
);
/** Batches of this many tasks, and before some of them a fault at the nth request from then on. */
const history = fc.array(
  fc.record({
    batches: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 4 }),
    fault: fc.option(fc.record({ at: fc.integer({ min: 1, max: 60 }), fault })),
  }),
  { minLength: 1, maxLength: 6 },
);

const valueOf = (key: string): string => `value of ${key}`.padEnd(100, ".");

/** Adds and gets `count` fresh keys, and adds and deletes as many; undefined when nothing was sent. */
async function addAndGet(wire: Wire, prefix: string, count: number): Promise<Answers | undefined> {
  const keys = Array.from({ length: count }, (_, n) => `${prefix}:${String(n)}`);
  const operations = keys.flatMap((key, n): Operation[] => [
    n % 2 === 0 ? { kind: "add", key, value: valueOf(key) } : casless(key),
    { kind: "append", key, value: "!" },
    { kind: "get", key },
    casless(goneOf(key)),
    { kind: "delete", key: goneOf(key) },
  ]);
  const answers = await wire.batch(operations).catch(() => undefined);
  expect(answers?.length ?? operations.length).toBe(operations.length);
  return answers && { keys, answers };
}

const PER_KEY = 5;
const goneOf = (key: string): string => `${key}:gone`;
const casless = (key: string): Operation => ({ kind: "add", key, value: valueOf(key), casless: true });

interface Answers {
  readonly keys: readonly string[];
  readonly answers: readonly Answer[];
}

test("whatever befalls the connection, every batch is answered, and every answer is true", async () => {
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const prefix = `h${String(++histories)}`;
      const proxy = await startFaultProxy(server.port);
      const wire = openMemjsWire({ server: proxy, connectMs: 300, answerMs: 300, firstOpaque: 2 ** 32 - 50 });
      const outcomes: (Answers | undefined)[] = [];
      for (const [n, step] of steps.entries()) {
        if (step.fault !== null) proxy.at(step.fault.at, step.fault.fault);
        const batches = step.batches.map((count, b) =>
          addAndGet(wire, `${prefix}:${String(n)}:${String(b)}`, count),
        );
        outcomes.push(...(await Promise.all(batches)));
      }
      wire.close();
      await proxy.close();
      await checkTruth(outcomes);
    }),
    { numRuns: RUNS },
  );
});

async function checkTruth(outcomes: readonly (Answers | undefined)[]): Promise<void> {
  const direct = openMemjsWire({ server });
  for (const outcome of outcomes) {
    if (outcome === undefined) continue;
    const kept = await direct.batch(outcome.keys.map((key): Operation => ({ kind: "get", key })));
    const left = await direct.batch(
      outcome.keys.map((key): Operation => ({ kind: "get", key: goneOf(key) })),
    );
    for (const [n, key] of outcome.keys.entries()) {
      const [added, appended, got, came, went] = outcome.answers.slice(PER_KEY * n, PER_KEY * (n + 1));
      const now = kept[n]?.kind === "ok" ? kept[n].value?.toString() : undefined;
      // Nothing was sent twice: not even a doubtful append is there twice.
      expect([undefined, valueOf(key), `${valueOf(key)}!`]).toContain(now);
      expect(["ok", "unknown"]).toContain(added?.kind);
      if (added?.kind === "ok") expect(now).toContain(valueOf(key));
      if (appended?.kind === "ok") expect(now).toBe(`${valueOf(key)}!`);
      if (got?.kind === "ok") expect(got.value?.toString()).toBe(`${valueOf(key)}!`);
      else expect(got).toEqual({ kind: "unknown" });
      expect(["ok", "unknown"]).toContain(came?.kind);
      expect(["ok", "unknown"]).toContain(went?.kind);
      if (went?.kind === "ok") expect(left[n]).toEqual({ kind: "missing" });
    }
  }
  direct.close();
}
