import { expect } from "vitest";
import type { Broker } from "../../../src/ports/broker.ts";
import { LEASE_MS } from "../../../src/ports/broker.ts";
import {
  drain,
  finish,
  idleOf,
  keep,
  keepOne,
  named,
  names,
  series,
  start,
  take,
  takeCount,
  takeOne,
} from "./ground.ts";
import type { Fact } from "./ground.ts";

/** Bytes as a failing disk, another program or an attacker leaves them. */
const HOSTILE_TEXTS = [
  "",
  " ",
  "null",
  "[]",
  '"text"',
  "process.exit(1)",
  '{"v":1}',
  '{"v":1,"m":"note"}',
  '{"v":1,"m":"note","a":{"length":1}}',
  '{"v":"1","m":"note","a":[]}',
  '{"v":1,"m":["note"],"a":[]}',
  '{"__proto__":{"v":1,"m":"note","a":[]}}',
  "[".repeat(20_000),
  "\u0001\uffff\ufffd",
];

export function claimFacts(fact: Fact): void {
  fact("tasks are claimed in the order their publisher published them", async (queue, owner) => {
    const order = series("t", 20);
    for (let from = 0; from < order.length; from += 4) {
      await keep(owner, ...order.slice(from, from + 4).map((name) => named(name)));
    }
    const run = await queue.open();
    expect((await drain(run, 3)).map((met) => met.name)).toEqual(order);
  });

  fact("a claim takes no more than its limit and leaves the rest to others", async (queue, owner) => {
    await keep(owner, ...series("t", 10).map((name) => named(name)));
    const first = await takeCount(owner, 4);
    expect(names(first)).toEqual(series("t", 4));
    const other = await queue.open();
    expect(names(await takeCount(other, 6))).toEqual(series("t", 10).slice(4));
  });

  fact("a claim says what there was to say: nothing in a healthy queue", async (_queue, owner) => {
    await keepOne(owner, named("a"));
    expect(await owner.claim({ limit: 5, atOnce: 1 })).toMatchObject({ findings: [] });
    expect(await owner.claim({ limit: 5, atOnce: 1 })).toMatchObject({ findings: [] });
  });

  fact("two owners that claim at the same time never share a task", async (queue, owner) => {
    await keep(owner, ...series("t", 200).map((name) => named(name)));
    const rival = await queue.open();
    const [mine, theirs] = await Promise.all([takeAll(owner), takeAll(rival)]);
    expect([...mine, ...theirs].sort()).toEqual(series("t", 200).sort());
  });

  fact("starting charges the attempt, claiming does not", async (queue, owner) => {
    const id = await keepOne(owner, named("a"));
    const claim = await takeOne(owner);
    expect(claim).toMatchObject({ attempt: 1, alone: false });
    await owner.release([claim]);
    const again = await takeOne(owner);
    expect(again.attempt).toBe(1);
    await start(owner, again, true);
    expect(await (await queue.open()).find(id)).toMatchObject({ attempts: 1 });
  });

  fact("released tasks are claimed again at once, uncharged and in their old order", async (queue, owner) => {
    await keep(owner, ...series("t", 6).map((name) => named(name)));
    const claims = await takeCount(owner, 4, 2);
    for (const claim of claims.slice(0, 2)) await start(owner, claim);
    await owner.release(claims);
    const met = await drain(await queue.open());
    expect(met).toMatchObject(series("t", 6).map((name) => ({ name, attempt: 1, alone: false })));
  });

  fact("a release takes back no attempt but its own", async (queue, owner) => {
    const id = await keepOne(owner, named("a"));
    await finish(owner, await takeOne(owner), { kind: "retry", at: queue.now(), error: "again" });
    await queue.advance(1_000);
    const claim = await takeOne(owner);
    await start(owner, claim);
    await owner.release([claim]);
    expect(await owner.find(id)).toMatchObject({ state: "waiting", attempts: 1, error: "again" });
    expect(await takeOne(owner)).toMatchObject({ attempt: 2, alone: false });
  });

  fact("a part of what is held can be released", async (queue, owner) => {
    await keep(owner, ...series("t", 3).map((name) => named(name)));
    const claims = await takeCount(owner, 3);
    await owner.release(claims.slice(1));
    expect((await drain(await queue.open())).map((met) => met.name)).toEqual(["t1", "t2"]);
    for (const claim of claims.slice(0, 1)) await finish(owner, claim);
  });

  fact("closing hands back what is held", async (queue, owner) => {
    await keep(owner, ...series("t", 5).map((name) => named(name)));
    await takeCount(owner, 4);
    await owner.close();
    const met = await drain(await queue.open());
    expect(met).toMatchObject(series("t", 5).map((name) => ({ name, attempt: 1, alone: false })));
  });

  fact("what is held stays held until its lease ends, then another owner gets it", async (queue, owner) => {
    await keepOne(owner, named("a"));
    await takeOne(owner);
    await queue.advance(LEASE_MS - 5_000);
    expect(await idleOf(await queue.open())).toMatchObject({ kind: "held", count: 1 });
    await queue.advance(6_000);
    expect(names(await take(await queue.open()))).toEqual(["a"]);
  });

  fact("an owner that renews keeps its tasks past the first lease's end", async (queue, owner) => {
    await keepOne(owner, named("a"));
    const claim = await takeOne(owner);
    await start(owner, claim);
    for (let third = 0; third < 6; third++) {
      await queue.advance(LEASE_MS / 3);
      await owner.renew();
    }
    expect(await idleOf(await queue.open())).toMatchObject({ kind: "held", count: 1 });
    expect(await owner.settle([{ claim, outcome: { kind: "done" } }])).toEqual(["settled"]);
  });

  fact("bytes that are no task are buried with a finding, and hold up nobody", async (queue, owner) => {
    const [first = "", bad = "", last = ""] = await keep(owner, named("a"), named("bad"), named("c"));
    await queue.corrupt(bad, '{"v":1,"m":7,\u0000 broken');
    const run = await queue.open();
    const { claims, findings } = await claimAll(run);
    expect(claims).toEqual([first, last]);
    expect(findings).toEqual([{ kind: "buried", id: bad, reason: expect.stringMatching(/./) as string }]);
    const record = await run.find(bad);
    expect(record).toMatchObject({ id: bad, state: "dead", error: expect.stringMatching(/./) as string });
    expect(record?.task).toBeUndefined();
    expect(await run.depth()).toMatchObject({ dead: 1 });
  });

  fact("whatever the bytes are, nothing is run and nothing is thrown", async (queue, owner) => {
    const ids = await keep(
      owner,
      ...HOSTILE_TEXTS.map((_text, index) => named(String(index))),
      named("good"),
    );
    for (const [index, text] of HOSTILE_TEXTS.entries()) await queue.corrupt(ids[index] ?? "", text);
    const run = await queue.open();
    const { claims, findings } = await claimAll(run);
    expect(claims).toEqual(ids.slice(-1));
    expect(findings).toHaveLength(HOSTILE_TEXTS.length);
    expect(await run.depth()).toMatchObject({ waiting: 0, running: 1, dead: HOSTILE_TEXTS.length });
  });

  fact(
    "a task of a newer version is left alone with a finding, and holds up nobody",
    async (queue, owner) => {
      const [newer = "", other = ""] = await keep(owner, named("newer"), named("a"));
      await queue.corrupt(newer, '{"v":99,"future":true}');
      const run = await queue.open();
      const { claims, findings } = await claimAll(run);
      expect(claims).toEqual([other]);
      expect(findings).toContainEqual({ kind: "newer", id: newer });
      expect(await run.find(newer)).toMatchObject({ id: newer, state: "waiting", attempts: 0 });
    },
  );
}

async function takeAll(owner: Broker): Promise<unknown[]> {
  const taken: unknown[] = [];
  for (let round = 0; round < 250; round++) {
    const claims = await take(owner, 7);
    if (claims.length === 0) return taken;
    taken.push(...names(claims));
  }
  throw new Error("the queue never became idle");
}

async function claimAll(owner: Broker): Promise<{ claims: string[]; findings: unknown[] }> {
  const claims: string[] = [];
  const findings: unknown[] = [];
  for (let round = 0; round < 10; round++) {
    const claimed = await owner.claim({ limit: 10, atOnce: 1 });
    claims.push(...claimed.claims.map((claim) => claim.task.id));
    findings.push(...claimed.findings);
    if (claimed.claims.length === 0) return { claims, findings };
  }
  throw new Error("the queue never became idle");
}
