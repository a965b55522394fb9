import { beforeEach, describe, expect, test } from "vitest";
import type { Limits } from "../../../../src/adapters/memcached/parts.ts";
import type { Wire } from "../../../../src/adapters/memcached/wire.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import type { Draft } from "../../../../src/task/task.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";
import { checkList } from "../../../servers/list-checker.ts";
import { ownerAt } from "./ground.ts";

let now: number;
let server: FakeMemcached;

beforeEach(() => {
  now = Date.UTC(2026, 0, 1);
  server = new FakeMemcached(() => now);
});

const open = (limits: Partial<Limits> = {}, wire: Wire = server.wire()): Broker =>
  ownerAt(() => now, { wire, limits });

/** A connection that counts: round trips, and bytes of what is read. */
function counted(): { readonly wire: Wire; readonly cost: { trips: number; bytes: number } } {
  const cost = { trips: 0, bytes: 0 };
  const wire = server.wire();
  return {
    cost,
    wire: {
      ...wire,
      batch: async (operations) => {
        const answers = await wire.batch(operations);
        cost.trips += 1;
        for (const answer of answers) if (answer.kind === "ok") cost.bytes += answer.value?.length ?? 0;
        return answers;
      },
    },
  };
}

const drafts = (count: number, dueAt: (n: number) => number): readonly Draft[] =>
  Array.from({ length: count }, (_, n) => ({ method: "m", args: [n], dueAt: dueAt(n) }));

async function publish(owner: Broker, all: readonly Draft[]): Promise<void> {
  for (let from = 0; from < all.length; from += 1_000) {
    const answers = await owner.publish(all.slice(from, from + 1_000));
    expect(answers.filter(({ kind }) => kind !== "kept")).toEqual([]);
  }
}

async function drain(owner: Broker): Promise<unknown[]> {
  const ran: unknown[] = [];
  for (;;) {
    const { claims } = await owner.claim({ limit: 500, atOnce: 1 });
    if (claims.length === 0) return ran;
    for (const claim of claims) {
      expect(await owner.start(claim, { last: false })).toBe("started");
      ran.push(claim.task.args[0]);
    }
    await owner.settle(claims.map((claim) => ({ claim, outcome: { kind: "done" } })));
  }
}

async function listed(owner: Broker, limit: number): Promise<unknown[]> {
  const tasks: unknown[] = [];
  for (let after: string | undefined; ;) {
    const page = await owner.list("delayed", { limit, ...(after !== undefined && { after }) });
    tasks.push(...page.tasks.map(({ task }) => task?.args[0]));
    if (page.next === undefined) return tasks;
    after = page.next;
  }
}

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

describe("a minute in which very many tasks fall due", () => {
  test("holds more than one item could name, and releases all of them in their order", async () => {
    const count = 4_000;
    server.itemBytes = 65_536; // 2,500 names fill one
    const due = now + 20 * 60_000;
    await publish(
      open(),
      drafts(count, () => due),
    );
    expect(await open().depth()).toMatchObject({ delayed: count, waiting: 0, nextDueAt: due });
    now = due;
    expect(await open().depth()).toMatchObject({ delayed: 0, waiting: count });
    expect(await drain(open())).toEqual(numbers(count));
    now += 2 * 3_600_000; // the bucket goes with the first sweep after its minute
    expect(await drain(open())).toEqual([]);
    expect([...server.items.keys()].filter((key) => /:[bd]/.test(key))).toEqual([]);
  });

  test("releases each second what is due then", async () => {
    const small = { bucketBytes: 100 };
    const begin = now + 60_000;
    await publish(
      open(small),
      drafts(300, (n) => begin + (n % 3) * 1_000),
    );
    const owner = open(small);
    for (const second of [0, 1, 2]) {
      now = begin + second * 1_000;
      expect(await drain(owner)).toEqual(numbers(300).filter((n) => n % 3 === second));
    }
  });

  test("is listed page by page, soonest first, each task once", async () => {
    const small = { bucketBytes: 500 };
    const begin = now + 60_000;
    await publish(
      open(small),
      drafts(900, (n) => begin + Math.floor(n / 300) * 1_000),
    );
    const all = await listed(open(small), 70);
    expect([...all].sort((a, b) => Number(a) - Number(b))).toEqual(numbers(900));
    const seconds = all.map((n) => Math.floor(Number(n) / 300));
    expect(seconds).toEqual([...seconds].sort());
  });

  test("costs a claim before it no more than a few kilobytes", async () => {
    await publish(
      open(),
      drafts(6_000, () => now + 50_000),
    );
    const { wire, cost } = counted();
    const owner = open({}, wire);
    expect((await owner.claim({ limit: 1, atOnce: 1 })).idle?.kind).toBe("due");
    cost.bytes = 0;
    now += 1_000;
    await owner.claim({ limit: 1, atOnce: 1 });
    expect(cost.bytes).toBeLessThan(100_000);
  });

  test("is named by publishers that come late as well: the look at the block tells them", async () => {
    const small = { bucketBytes: 50 };
    const due = now + 60_000;
    const wire = server.wire();
    const late = open(small, {
      ...wire,
      batch: async (operations) => {
        const appends = operations.some(({ kind, key }) => kind === "append" && /:d\d+\.\w+$/.test(key));
        if (appends && now < due) {
          now = due;
          expect(await drain(open(small))).toEqual(numbers(20)); // released before its names were there
        }
        return wire.batch(operations);
      },
    });
    await publish(
      open(small),
      drafts(20, () => due),
    );
    await publish(late, [{ method: "m", args: ["late"], dueAt: due }]);
    expect(await drain(open(small))).toEqual(["late"]);
    const { orphans, ready } = checkList(
      new Map([...server.items].map(([key, { value }]) => [key, value])),
      "q",
    );
    expect({ orphans, ready }).toEqual({ orphans: [], ready: [] });
  });
});

describe("publishing with delays", () => {
  test("takes a few round trips for a thousand tasks, however many minutes they are spread over", async () => {
    const { wire, cost } = counted();
    const owner = open({}, wire);
    await owner.publish([{ method: "m", args: [] }]);
    cost.trips = 0;
    await publish(
      owner,
      drafts(1_000, (n) => now + (1 + n) * 60_000),
    );
    expect(cost.trips).toBeLessThan(10);
  });

  test("for which there is no memory is refused, task by task, and leaves nothing behind", async () => {
    const owner = open();
    await publish(
      owner,
      drafts(1, () => now + 60_000),
    );
    server.limitBytes = server.bytes + 60; // a record, but not its name as well
    const before = [...server.items.keys()];
    const answers = await owner.publish([{ method: "m", args: [], dueAt: now + 60_000 }]);
    expect(answers).toMatchObject([{ kind: "refused", code: "QUEUE_FULL" }]);
    expect([...server.items.keys()]).toEqual(before);
  });
});
