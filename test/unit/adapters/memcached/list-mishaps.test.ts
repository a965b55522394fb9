import { beforeEach, describe, expect, test } from "vitest";
import type { Answer, Operation, Wire } from "../../../../src/adapters/memcached/wire.ts";
import type { Broker, Claim } from "../../../../src/ports/broker.ts";
import type { Outcome } from "../../../../src/task/outcome.ts";
import type { Draft } from "../../../../src/task/task.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";
import { checkList } from "../../../servers/list-checker.ts";
import { ELSEWHERE, ownerAt } from "./ground.ts";

let now: number;
let server: FakeMemcached;

beforeEach(() => {
  now = Date.UTC(2026, 0, 1);
  server = new FakeMemcached(() => now);
});

const open = (wire: Wire = server.wire(), bundle = 1): Broker =>
  ownerAt(() => now, { wire, bundle, holder: ELSEWHERE });

const draft = (name: string): Draft => ({ method: "m", args: [name] });

/** A connection whose process dies right after an operation was done: it never hears of it. */
function dyingAt(isTheOne: (operation: Operation) => boolean): { wire: Wire; died: Promise<void> } {
  let die: () => void;
  let isDead = false;
  const died = new Promise<void>((resolve) => {
    die = resolve;
  });
  const never = (): Promise<never> => new Promise(() => undefined);
  const wire: Wire = {
    ...server.wire(),
    batch: async (operations) => {
      if (isDead) return never();
      const answers: Answer[] = [];
      for (const operation of operations) {
        answers.push(server.do(operation));
        if (!isTheOne(operation)) continue;
        isDead = true;
        for (const key of server.items.keys()) if (/^mq:q:o[^:]+$/.test(key)) server.evict(key);
        die();
        return never();
      }
      await Promise.resolve();
      return answers;
    },
  };
  return { wire, died };
}

async function take(owner: Broker, count: number): Promise<readonly Claim[]> {
  const { claims } = await owner.claim({ limit: count, atOnce: 1 });
  return claims;
}

async function finish(owner: Broker, claim: Claim, outcome: Outcome = { kind: "done" }): Promise<void> {
  expect(await owner.start(claim, { last: false })).toBe("started");
  expect(await owner.settle([{ claim, outcome }])).toEqual(["settled"]);
}

/** Claims and finishes until nothing is left; answers what was met. */
async function drain(owner: Broker): Promise<readonly (readonly [name: unknown, attempt: number])[]> {
  const met: (readonly [unknown, number])[] = [];
  for (let round = 0; round < 100; round++) {
    const claims = await take(owner, 10);
    if (claims.length === 0) return met;
    for (const claim of claims) {
      met.push([claim.task.args[0], claim.attempt]);
      await finish(owner, claim);
    }
  }
  throw new Error("the queue never became idle");
}

const leftOver = (): readonly string[] => {
  const items = new Map([...server.items].map(([key, { value }]) => [key, value]));
  const { ready, dead, cancelled, orphans, faults } = checkList(items, "q");
  return [...ready, ...dead, ...cancelled, ...orphans, ...faults];
};

const RECORD = /:\w{8}:b/; // an epoch may begin with a b
const addsMember = ({ kind, key }: Operation): boolean => kind === "add" && /:b\w+\.1$/.test(key);

describe("an owner that dies", () => {
  test("after a failed member got a record of its own leaves one record of it, which runs once more", async () => {
    await open(server.wire(), 3).publish(["a", "b", "c"].map(draft));
    const dying = dyingAt(addsMember);
    const owner = open(dying.wire);
    const claims = await take(owner, 3);
    const [a, b] = claims;
    if (!a || !b) throw new Error("three were claimed");
    await finish(owner, a);
    expect(await owner.start(b, { last: false })).toBe("started");
    void owner.settle([{ claim: b, outcome: { kind: "retry", at: now, error: "no luck" } }]);
    await dying.died;
    const met = await drain(open());
    expect([...met].sort()).toEqual([
      ["b", 2],
      ["c", 1],
    ]);
    expect(leftOver()).toEqual([]);
  });

  test("after a retry was written and before it was listed: the next owner lists it", async () => {
    await open().publish([draft("a")]);
    const dying = dyingAt(({ kind, key }) => kind === "replace" && RECORD.test(key) && isRetry(key));
    const owner = open(dying.wire);
    const [claim] = await take(owner, 1);
    if (!claim) throw new Error("one was claimed");
    expect(await owner.start(claim, { last: false })).toBe("started");
    void owner.settle([{ claim, outcome: { kind: "retry", at: now + 30_000, error: "no luck" } }]);
    await dying.died;
    const next = open();
    expect(await take(next, 1)).toEqual([]);
    now += 31_000;
    expect(await drain(next)).toEqual([["a", 2]]);
    expect(leftOver()).toEqual([]);
  });

  test("while it puts a dead letter back: the next owner puts it back to the end", async () => {
    const owner = open();
    await owner.publish([draft("a")]);
    const [claim] = await take(owner, 1);
    if (!claim) throw new Error("one was claimed");
    await finish(owner, claim, { kind: "dead", reason: "enough" });
    await owner.close();
    const dying = dyingAt(({ kind, key }) => kind === "replace" && RECORD.test(key));
    void open(dying.wire).putBack("all");
    await dying.died;
    expect(await drain(open())).toEqual([["a", 1]]);
    expect(leftOver()).toEqual([]);
  });

  test("after it had marked a record and before it ran it: one attempt too many, never one too few", async () => {
    await open().publish([draft("a")]);
    const dying = dyingAt(({ kind, key }) => kind === "replace" && RECORD.test(key));
    const owner = open(dying.wire);
    const [claim] = await take(owner, 1);
    if (!claim) throw new Error("one was claimed");
    void owner.start(claim, { last: true });
    await dying.died;
    const [again] = await take(open(), 1);
    expect(again).toMatchObject({ attempt: 2, alone: true });
  });
});

const isRetry = (key: string): boolean => / d=\d+ .*w=/.test(server.text(key) ?? "");

describe("what was handed back", () => {
  test("in the middle of a bundle is claimed by the next owner, without what is done", async () => {
    await open(server.wire(), 3).publish(["a", "b", "c"].map(draft));
    const owner = open();
    const [a, ...rest] = await take(owner, 3);
    if (!a) throw new Error("three were claimed");
    await finish(owner, a);
    await owner.release(rest);
    expect(await drain(open())).toEqual([
      ["b", 1],
      ["c", 1],
    ]);
    expect(leftOver()).toEqual([]);
  });
});

describe("a late write of a dead owner", () => {
  test("between the next owner's claim and its start is found out: the retry is listed", async () => {
    await open().publish([draft("a")]);
    const owner = open();
    const [claim] = await take(owner, 1);
    if (!claim) throw new Error("one was claimed");
    expect(await owner.start(claim, { last: false })).toBe("started");
    const late = heldBack(claim);
    for (const key of server.items.keys()) if (/^mq:q:o[^:]+$/.test(key)) server.evict(key);
    const next = open();
    const [again] = await take(next, 1);
    if (!again) throw new Error("it was taken over");
    late();
    expect(await next.start(again, { last: false })).toBe("cancelled");
    expect(await next.depth()).toMatchObject({ delayed: 1, running: 0 });
    now += 61_000;
    expect(await drain(next)).toEqual([["a", 2]]);
    expect(leftOver()).toEqual([]);
  });
});

/** The write with which an owner would settle a claim as failed, to be done later. */
function heldBack(claim: Claim): () => void {
  const key = [...server.items.keys()].find((one) => one.endsWith(`:b${claim.task.id}`)) ?? "";
  const item = server.items.get(key);
  const [line = "", text = ""] = (server.text(key) ?? "").split("\n");
  const stake = / r=(\w+)\./.exec(line)?.[1] ?? "";
  const due = String(Math.floor(now / 1_000) + 60);
  const value = `${line.split(" ").slice(0, 3).join(" ")} d=${due} m=1 a=1 w=${stake}.0\n${text}`;
  return () => {
    expect(server.do({ kind: "replace", key, value, cas: item?.cas ?? 0n }).kind).toBe("ok");
  };
}

describe("a lapsed owner", () => {
  test("that goes on with a bundle cannot take back what its follower has charged", async () => {
    await open(server.wire(), 2).publish(["a", "b"].map(draft));
    const owner = open();
    const [a, b] = await take(owner, 2);
    if (!a || !b) throw new Error("two were claimed");
    expect(await owner.start(a, { last: true })).toBe("started");
    expect(await owner.start(b, { last: true })).toBe("started");
    for (const key of server.items.keys()) if (/^mq:q:o[^:]+$/.test(key)) server.evict(key);
    const next = open();
    const [first] = await take(next, 2);
    if (!first) throw new Error("the first was taken over");
    expect(first).toMatchObject({ attempt: 2, alone: true });
    await finish(next, first);
    expect(await owner.settle([{ claim: a, outcome: { kind: "done" } }])).toEqual(["lost"]);
    expect((await take(next, 2))[0]).toMatchObject({ attempt: 2, alone: true });
  });
});

describe("a cancel that meets a claim", () => {
  /** Cancels, while `between` happens after the task was found and before it is marked as cancelled. */
  async function cancelWhile(id: string, between: () => Promise<void>): Promise<string> {
    const wire = server.wire();
    let isOver = false;
    const canceller = open({
      ...wire,
      batch: async (operations) => {
        if (!isOver && operations.some(({ kind, key }) => kind === "replace" && RECORD.test(key))) {
          isOver = true;
          await between();
        }
        return wire.batch(operations);
      },
    });
    return canceller.cancel(id);
  }

  test("says cancelled where whoever claimed it has not started it, and never will", async () => {
    const [published] = await open().publish([draft("a")]);
    const owner = open();
    let claims: readonly Claim[] = [];
    const id = published?.kind === "kept" ? published.id : "";
    expect(
      await cancelWhile(id, async () => {
        claims = await take(owner, 1);
      }),
    ).toBe("cancelled");
    const [claim] = claims;
    if (!claim) throw new Error("it was claimed");
    expect(await owner.start(claim, { last: false })).toBe("cancelled");
    await owner.close();
    expect(await drain(open())).toEqual([]);
    expect(leftOver()).toEqual([]);
  });

  test("says running where it was started, or may be without a look, and it goes on", async () => {
    const answers = await open().publish(Array.from({ length: 60 }, (_, n) => draft(String(n))));
    const owner = open();
    for (const claim of await take(owner, 20)) await finish(owner, claim); // so fast that none is marked any more
    const last = answers.at(-1);
    const id = last?.kind === "kept" ? last.id : "";
    let claims: readonly Claim[] = [];
    const cancelled = await cancelWhile(id, async () => {
      claims = await take(owner, 60);
    });
    expect(cancelled).toBe("running");
    expect(claims.map(({ task }) => task.id)).toContain(id);
    for (const claim of claims) await finish(owner, claim);
    expect(leftOver()).toEqual([]);
  });

  test("is heard by an owner that begins to start without marks", async () => {
    const answers = await open().publish(Array.from({ length: 40 }, (_, n) => draft(String(n))));
    const owner = open();
    let claims: readonly Claim[] = [];
    const last = answers.at(-1);
    const id = last?.kind === "kept" ? last.id : "";
    const cancelled = await cancelWhile(id, async () => {
      claims = await take(owner, 40);
    });
    expect(cancelled).toBe("cancelled");
    const started = [];
    for (const claim of claims) {
      started.push(await owner.start(claim, { last: false }));
      if (started.at(-1) === "started") await owner.settle([{ claim, outcome: { kind: "done" } }]);
    }
    expect(started).toEqual([...Array.from({ length: 39 }, () => "started"), "cancelled"]);
    expect(leftOver()).toEqual([]);
  });
});

describe("other tools' hands", () => {
  /** Puts another value in the place of an item, as a `set` does. */
  const overwrite = (key: string, value: Buffer | string): void => {
    const cas = server.items.get(key)?.cas ?? 0n;
    server.do({ kind: "replace", key, value, cas });
  };
  const valueOf = (key: string): string => server.items.get(key)?.value.toString() ?? "";
  const keyOf = (pattern: RegExp): string => [...server.items.keys()].find((key) => pattern.test(key)) ?? "";

  test("a list that was cut short keeps no later task from being seen, listed and run, and is told", async () => {
    const owner = open();
    await owner.publish(["a", "b", "c"].map(draft));
    await owner.losses();
    expect((await drain(owner)).map(([name]) => name)).toEqual(["a", "b", "c"]);
    const { e, segs } = JSON.parse(server.items.get("mq:q:C")?.value.toString() ?? "{}") as {
      e: string;
      segs: [string, number][];
    };
    overwrite(`mq:q:${e}:l${segs[0]?.[0] ?? ""}`, "");
    await owner.publish([draft("d")]);
    expect(await owner.depth()).toMatchObject({ waiting: 1 });
    const { tasks, next } = await owner.list("waiting", { limit: 10 });
    expect([tasks.length, next]).toEqual([1, undefined]);
    expect((await drain(owner)).map(([name]) => name)).toEqual(["d"]);
    expect(await owner.losses()).toMatchObject([{ atLeast: 1 }]);
  });

  test("bytes that another tool appends to a list cost no task that is listed behind them", async () => {
    const owner = open();
    await owner.publish([draft("a")]);
    server.do({ kind: "append", key: keyOf(/^mq:q:[^:]+:l/), value: '\0,{"x":1}\r\n' });
    await owner.publish([draft("b")]);
    expect((await drain(owner)).map(([name]) => name)).toEqual(["a", "b"]);
  });

  test.each([
    ["a stake that never was", 1, " r=zzzzzzzz.0"],
    ["one in a generation that is no number", 1, " r=zzzzzzzz.x"],
    ["one, on a bundle", 3, " r=zzzzzzzz.7"],
  ])("a mark for %s keeps no task from being run", async (_what, bundle, word) => {
    const owner = open(server.wire(), bundle);
    await owner.publish(["a", "b", "c"].map(draft));
    const key = keyOf(/^mq:q:[^:]+:b/);
    overwrite(key, Buffer.from(valueOf(key).replace("\n", `${word}\n`)));
    const names = (await drain(owner)).map(([name]) => name);
    expect([...names].sort()).toEqual(["a", "b", "c"]);
    expect(leftOver()).toEqual([]);
  });

  test("a mark that comes late, from an owner that has handed the task back, keeps no task from being run", async () => {
    const late = open();
    await late.publish([draft("a")]);
    const [claim] = await take(late, 1);
    const stake = /"c":"([^"]+)"/.exec(valueOf("mq:q:C"))?.[1] ?? "";
    await late.release(claim === undefined ? [] : [claim]);
    const key = keyOf(/^mq:q:[^:]+:b/);
    overwrite(key, Buffer.from(valueOf(key).replace("\n", ` m=1 a=1 r=${stake}.0\n`)));
    expect(await drain(open())).toEqual([["a", 2]]);
    expect(leftOver()).toEqual([]);
  });

  test("a mark for the stake of another owner that holds the task leaves it to that one", async () => {
    const holder = open();
    await holder.publish([draft("a")]);
    const [claim] = await take(holder, 1);
    if (!claim) throw new Error("one was claimed");
    expect(await holder.start(claim, { last: true })).toBe("started");
    const name = keyOf(/^mq:q:[^:]+:b/).split(":b")[1] ?? "";
    server.do({ kind: "append", key: keyOf(/^mq:q:[^:]+:l/), value: `${name}!,` });
    expect(await drain(open())).toEqual([]);
    expect(await holder.settle([{ claim, outcome: { kind: "done" } }])).toEqual(["settled"]);
    expect(leftOver()).toEqual([]);
  });

  test("bytes that leave no room for words about them become a dead letter all the same", async () => {
    const owner = open();
    server.itemBytes = 10_000;
    await owner.publish([draft("a")]);
    overwrite(keyOf(/^mq:q:[^:]+:b/), Buffer.alloc(9_990, 0xff));
    expect(await drain(owner)).toEqual([]);
    expect(await owner.depth()).toMatchObject({ waiting: 0, dead: 1 });
  });
});

test("a server that compares no versions takes no task, and says why", async () => {
  const wire = server.wire();
  const owner = open({
    ...wire,
    batch: async (operations) =>
      (await wire.batch(operations)).map((answer) =>
        answer.kind === "ok" ? { ...answer, cas: 0n } : answer,
      ),
  });
  await expect(owner.publish([draft("a")])).rejects.toMatchObject({ code: "NOT_MEMCACHED" });
});
