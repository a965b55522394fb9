import { expect } from "vitest";
import {
  drain,
  finish,
  idleOf,
  inSeconds,
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

export function settleFacts(fact: Fact): void {
  fact("a task that is done leaves nothing behind", async (queue, owner) => {
    const id = await keepOne(owner, named("a"));
    await finish(owner, await takeOne(owner), { kind: "done", result: { sum: 3 } });
    expect(await owner.find(id)).toBeUndefined();
    expect(await owner.depth()).toEqual({ waiting: 0, delayed: 0, running: 0, dead: 0 });
    await owner.close();
    expect(await idleOf(await queue.open())).toEqual({ kind: "empty" });
  });

  fact(
    "a retry keeps the id, counts the attempt and waits for its time, never less",
    async (queue, owner) => {
      const id = await keepOne(owner, named("a"));
      await finish(owner, await takeOne(owner), {
        kind: "retry",
        at: inSeconds(queue, 60),
        error: "no luck",
      });
      await queue.advance(59_000);
      expect(await take(owner)).toEqual([]);
      await queue.advance(2_000);
      const claim = await takeOne(owner);
      expect(claim).toMatchObject({ attempt: 2, alone: false });
      expect(claim.task.id).toBe(id);
    },
  );

  fact("a retry whose time has come is claimed again at once", async (queue, owner) => {
    await keepOne(owner, named("a"));
    for (const attempt of [1, 2, 3]) {
      const claim = await takeOne(owner);
      expect(claim.attempt).toBe(attempt);
      await finish(owner, claim, { kind: "retry", at: queue.now(), error: "again" });
      await queue.advance(1_000);
    }
  });

  fact("a retry remembers which attempt asked for more runs, until it is put back", async (queue, owner) => {
    const id = await keepOne(owner, named("a"));
    const retry = { kind: "retry", error: "busy" } as const;
    const first = await takeOne(owner);
    expect(first.askedFrom).toBeUndefined();
    await finish(owner, first, { ...retry, at: queue.now() });
    await queue.advance(1_000);
    await finish(owner, await takeOne(owner), { ...retry, at: queue.now(), askedFrom: 2 });
    await queue.advance(1_000);
    const other = await queue.open();
    const third = await takeOne(other);
    expect(third).toMatchObject({ attempt: 3, askedFrom: 2 });
    await other.release([third]);
    const again = await takeOne(owner);
    expect(again).toMatchObject({ attempt: 3, askedFrom: 2 });
    await finish(owner, again, { kind: "dead", reason: "busy for too long" });
    await owner.putBack([id]);
    const fresh = await takeOne(owner);
    expect([fresh.attempt, fresh.askedFrom]).toEqual([1, undefined]);
  });

  fact("a retry blocks no other task", async (queue, owner) => {
    await keep(owner, named("bad"), named("b"), named("c"));
    await finish(owner, await takeOne(owner), {
      kind: "retry",
      at: inSeconds(queue, 3_600),
      error: "no luck",
    });
    expect((await drain(owner)).map((met) => met.name)).toEqual(["b", "c"]);
  });

  fact("a retry holds no lease: its owner may die or stall meanwhile", async (queue, owner) => {
    await keepOne(owner, named("a"));
    const at = inSeconds(queue, 60);
    await finish(owner, await takeOne(owner), { kind: "retry", at, error: "no luck" });
    await queue.kill(owner);
    const other = await queue.open();
    expect(await idleOf(other)).toMatchObject({ kind: "due" });
    await queue.advance(61_000);
    expect(await takeOne(other)).toMatchObject({ attempt: 2, alone: false });
  });

  fact("a dead letter is kept with its reason and never claimed", async (queue, owner) => {
    const id = await keepOne(owner, named("a"));
    const before = queue.now();
    await finish(owner, await takeOne(owner), { kind: "dead", reason: "no such user: 王" });
    const record = await owner.find(id);
    expect(record).toMatchObject({ id, state: "dead", attempts: 1, error: "no such user: 王" });
    expect(record?.task).toMatchObject({ id, method: "note", args: ["a"] });
    expect(record?.at).toBeGreaterThanOrEqual(before - 1_000);
    expect(await owner.depth()).toEqual({ waiting: 0, delayed: 0, running: 0, dead: 1 });
    await queue.advance(86_400_000);
    expect(await idleOf(await queue.open())).toEqual({ kind: "empty" });
  });

  fact("a long error keeps its beginning", async (_queue, owner) => {
    const id = await keepOne(owner, named("a"));
    const reason = `Error: ${"深い stack ".repeat(10_000)}`;
    await finish(owner, await takeOne(owner), { kind: "dead", reason });
    const error = (await owner.find(id))?.error ?? "";
    expect(error.slice(0, 1_000)).toBe(reason.slice(0, 1_000));
  });

  fact("several claims are settled in one call, each in its own way", async (queue, owner) => {
    const [done = "", again = "", dead = ""] = await keep(
      owner,
      ...series("t", 4).map((name) => named(name)),
    );
    const claims = await takeCount(owner, 3, 3);
    for (const claim of claims) await start(owner, claim);
    const [first, second, third] = claims;
    if (!first || !second || !third) throw new Error("three were claimed");
    const settled = await owner.settle([
      { claim: third, outcome: { kind: "dead", reason: "enough" } },
      { claim: first, outcome: { kind: "done" } },
      { claim: second, outcome: { kind: "retry", at: inSeconds(queue, 60), error: "again" } },
    ]);
    expect(settled).toEqual(["settled", "settled", "settled"]);
    expect(await owner.find(done)).toBeUndefined();
    expect(await owner.find(again)).toMatchObject({ state: "delayed", attempts: 1, error: "again" });
    expect(await owner.find(dead)).toMatchObject({ state: "dead", error: "enough" });
    expect(names(await take(owner))).toEqual(["t3"]);
  });

  fact("nothing to settle or release is no error", async (_queue, owner) => {
    expect(await owner.settle([])).toEqual([]);
    await owner.release([]);
    await owner.renew();
  });

  fact(
    "a late settle of a task that another owner holds is refused, the holder's counts",
    async (queue, owner) => {
      const id = await keepOne(owner, named("a"));
      const late = await takeOne(owner);
      await start(owner, late);
      await queue.lapse(owner);
      const other = await queue.open();
      const claim = await takeOne(other);
      await start(other, claim);
      for (const outcome of [
        { kind: "done" } as const,
        { kind: "dead", reason: "late" } as const,
        { kind: "retry", at: queue.now(), error: "late" } as const,
      ]) {
        expect(await owner.settle([{ claim: late, outcome }])).toEqual(["lost"]);
      }
      expect(await other.find(id)).toMatchObject({ state: "running" });
      expect(await other.settle([{ claim, outcome: { kind: "done" } }])).toEqual(["settled"]);
      expect(await other.find(id)).toBeUndefined();
    },
  );

  fact("a late settle of a task that another owner finished is refused", async (queue, owner) => {
    const id = await keepOne(owner, named("a"));
    const late = await takeOne(owner);
    await start(owner, late);
    await queue.lapse(owner);
    const other = await queue.open();
    await finish(other, await takeOne(other), { kind: "dead", reason: "no use" });
    expect(await owner.settle([{ claim: late, outcome: { kind: "done" } }])).toEqual(["lost"]);
    expect(await other.find(id)).toMatchObject({ state: "dead", error: "no use" });
  });

  fact("one refused settlement does not spoil its neighbours", async (queue, owner) => {
    await keepOne(owner, named("lost"));
    const late = await takeOne(owner);
    await start(owner, late);
    await queue.lapse(owner);
    const other = await queue.open();
    await takeOne(other);
    await keep(owner, named("b"), named("c"));
    const [b, c] = await takeCount(owner, 2, 2);
    if (!b || !c) throw new Error("two were claimed");
    await start(owner, b);
    await start(owner, c);
    const outcome = { kind: "done" } as const;
    const claims = [b, late, c];
    expect(await owner.settle(claims.map((claim) => ({ claim, outcome })))).toEqual([
      "settled",
      "lost",
      "settled",
    ]);
  });

  fact(
    "what a stalled owner releases, renews or closes late does not touch the new holder",
    async (queue, owner) => {
      const id = await keepOne(owner, named("a"));
      const late = await takeOne(owner);
      await queue.lapse(owner);
      const other = await queue.open();
      const claim = await takeOne(other);
      await owner.release([late]);
      await owner.renew();
      await owner.close();
      expect(await idleOf(await queue.open())).toMatchObject({ kind: "held", count: 1 });
      await start(other, claim);
      expect(await other.settle([{ claim, outcome: { kind: "done" } }])).toEqual(["settled"]);
      expect(await other.find(id)).toBeUndefined();
    },
  );
}
