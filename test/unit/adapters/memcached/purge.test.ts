import { beforeEach, describe, expect, test } from "vitest";
import type { Answer, Operation, Wire } from "../../../../src/adapters/memcached/wire.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import type { Outcome } from "../../../../src/task/outcome.ts";
import type { Draft } from "../../../../src/task/task.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";
import { checkList } from "../../../servers/list-checker.ts";
import { ELSEWHERE, ownerAt } from "./ground.ts";

let now: number;
let server: FakeMemcached;
let trips: number;

beforeEach(() => {
  now = Date.UTC(2026, 0, 1);
  server = new FakeMemcached(() => now);
  trips = 0;
});

/** A connection on which `after` is told of every operation that was done; what it answers is awaited. */
function watched(after: (operation: Operation) => Promise<void> | undefined = () => undefined): Wire {
  return {
    ...server.wire(),
    batch: async (operations) => {
      trips += 1;
      const answers: Answer[] = [];
      for (const operation of operations) {
        answers.push(server.do(operation));
        await after(operation);
      }
      return answers;
    },
  };
}

const open = (wire: Wire = watched()): Broker => ownerAt(() => now, { wire, holder: ELSEWHERE });

async function publish(owner: Broker, count: number, more: Partial<Draft> = {}): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const drafts = Array.from({ length: Math.min(500, count - from) }, (_, n) => ({
      method: "m",
      args: [from + n],
      ...more,
    }));
    await owner.publish(drafts);
  }
}

async function drain(owner: Broker, outcome: Outcome = { kind: "done" }): Promise<number> {
  let count = 0;
  for (;;) {
    const { claims } = await owner.claim({ limit: 500, atOnce: 1 });
    if (claims.length === 0) return count;
    for (const claim of claims) expect(await owner.start(claim, { last: false })).toBe("started");
    await owner.settle(claims.map((claim) => ({ claim, outcome })));
    count += claims.length;
  }
}

const keysWith = (pattern: RegExp): readonly string[] =>
  [...server.items.keys()].filter((key) => pattern.test(key));

const check = (): ReturnType<typeof checkList> =>
  checkList(new Map([...server.items].map(([key, { value }]) => [key, value])), "q");

const RECORD = /^mq:q:\w{8}:b\w+/; // an epoch may begin with a b
const BUCKET = /:\w{8}:d\d/;
const readsRecord = ({ kind, key }: Operation): boolean => kind === "delete" && RECORD.test(key);

describe("purging", () => {
  test("thousands of waiting tasks leaves nothing for the next run to walk through", async () => {
    const owner = open();
    await publish(owner, 3_000);
    expect(await owner.purge(["waiting"])).toBe(3_000);
    expect(keysWith(RECORD)).toEqual([]);
    expect(await owner.depth()).toMatchObject({ waiting: 0 });
    await publish(owner, 3);
    trips = 0;
    expect(await drain(open())).toBe(3);
    expect(trips).toBeLessThan(25);
    expect(check()).toMatchObject({ faults: [], orphans: [], ready: [] });
  });

  test("leaves alone what is held, and what was retried for later", async () => {
    const owner = open();
    await publish(owner, 1_000);
    const runner = open();
    const { claims } = await runner.claim({ limit: 2, atOnce: 2 });
    const [held, later] = claims;
    if (!held || !later) throw new Error("two were claimed");
    for (const claim of claims) await runner.start(claim, { last: false });
    const retry = { kind: "retry", at: now + 60_000, error: "no luck" } as const;
    await runner.settle([{ claim: later, outcome: retry }]);
    expect(await owner.purge(["waiting"])).toBe(998);
    expect(await owner.depth()).toMatchObject({ waiting: 0, running: 1, delayed: 1 });
    expect(await runner.settle([{ claim: held, outcome: { kind: "done" } }])).toEqual(["settled"]);
    now += 61_000;
    expect(await drain(open())).toBe(1);
  });

  test("that was cut short by a death is gone on with by whoever claims", async () => {
    await publish(open(), 3_000);
    let die: () => void = () => undefined;
    const died = new Promise<void>((resolve) => (die = resolve));
    const dying = open(
      watched((operation) => {
        if (!readsRecord(operation)) return undefined;
        for (const key of keysWith(/^mq:q:o[^:]+$/)) server.evict(key);
        die();
        return new Promise(() => undefined);
      }),
    );
    void dying.purge(["waiting"]);
    await died;
    await publish(open(), 2);
    expect(await drain(open())).toBeLessThanOrEqual(2 + 500); // what was in the last list, at most
    expect(keysWith(RECORD)).toEqual([]);
    expect(check().control?.stakes).toEqual([]);
  });

  test("meets publishers that have not heard of it: what they publish is gone, or runs", async () => {
    await publish(open(), 1_000);
    const late = open();
    await publish(late, 1); // it knows the last list now
    let isPublished = false;
    const purger = open(
      watched((operation) => {
        if (isPublished || !readsRecord(operation)) return undefined;
        isPublished = true;
        return publish(late, 5);
      }),
    );
    const gone = await purger.purge(["waiting"]);
    expect(gone + (await drain(open()))).toBe(1_006);
    expect(check()).toMatchObject({ faults: [], orphans: [], ready: [] });
  });

  test("delayed tasks takes their names out of the buckets", async () => {
    const owner = open();
    await publish(owner, 3_000, { dueAt: now + 60_000 });
    await publish(owner, 5, { dueAt: now + 120_000 });
    expect(await owner.purge(["delayed"])).toBe(3_005);
    expect(keysWith(RECORD)).toEqual([]);
    expect(keysWith(BUCKET).filter((key) => (server.text(key) ?? "") !== "")).toEqual([]);
    await publish(owner, 2, { dueAt: now + 60_000 });
    now += 61_000;
    trips = 0;
    expect(await drain(open())).toBe(2);
    expect(trips).toBeLessThan(30);
  });
});

test("putting back hundreds of dead letters takes a few round trips", async () => {
  const owner = open();
  await publish(owner, 500);
  await drain(owner, { kind: "dead", reason: "enough" });
  trips = 0;
  expect(await owner.putBack("all")).toBe(500);
  expect(trips).toBeLessThan(40);
  expect(await drain(open())).toBe(500);
});
