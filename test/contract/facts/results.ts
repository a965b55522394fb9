import { expect } from "vitest";
import type { Broker, Claim, Settled } from "../../../src/ports/broker.ts";
import type { TaskEnd } from "../../../src/ports/results.ts";
import { encodeResult, type Progress } from "../../../src/task/result.ts";
import type { Codec } from "../../../src/task/codec.ts";
import type { QueueUnderTest } from "../broker-contract.ts";
import {
  buryNext,
  finish,
  keepOne,
  named,
  settlesWithin,
  start,
  take,
  takeOne,
  testCodec,
} from "./ground.ts";
import type { Fact } from "./ground.ts";

const HOUR_MS = 3_600_000;
const MAX_BYTES = 100_000;

/** Ends a started claim as done, and keeps what it returned. */
async function answer(
  owner: Broker,
  claim: Claim,
  value: unknown,
  forMs = HOUR_MS,
): Promise<Settled | undefined> {
  const text = encodeResult({ attempt: claim.attempt, ms: 12.5, at: 1_000 }, value, MAX_BYTES);
  const [settled] = await owner.settle([{ claim, outcome: { kind: "done" }, keep: { forMs, text } }]);
  return settled;
}

/** Publishes a task and has it done with that value; answers its id. */
async function answered(owner: Broker, value: unknown, forMs = HOUR_MS): Promise<string> {
  const id = await keepOne(owner, named("a"));
  const claim = await takeOne(owner);
  await start(owner, claim);
  expect(await answer(owner, claim, value, forMs)).toBe("settled");
  return id;
}

const never = new AbortController().signal;
const later = (queue: QueueUnderTest, seconds = 20): number => queue.now() + seconds * 1_000;

const progress = (done: number, total?: number): Progress => ({
  done,
  ...(total !== undefined && { total }),
  at: 1_000,
});

const kindsOf = (ends: readonly TaskEnd[]): string[] => ends.map(({ kind, id }) => `${kind} ${id}`).sort();

export function resultFacts(fact: Fact): void {
  fact("what is kept of a task that is done is found by every owner", async (queue, owner) => {
    const value = { sum: 5_050, texts: ["王 🎈", "'\"\n"], nothing: null };
    const id = await answered(owner, value);
    expect(await (await queue.open()).results.find(id)).toEqual({
      kind: "done",
      id,
      value,
      attempt: 1,
      ms: 12.5,
      at: 1_000,
    });
    expect(await owner.find(id)).toBeUndefined();
  });

  fact("of a task of which nothing is to be kept nothing is found", async (_queue, owner) => {
    const id = await keepOne(owner, named("a"));
    await finish(owner, await takeOne(owner), { kind: "done" });
    expect(await owner.results.find(id)).toBeUndefined();
  });

  fact("a task that has not ended has no result", async (queue, owner) => {
    const id = await keepOne(owner, named("a"));
    expect(await owner.results.find(id)).toBeUndefined();
    const claim = await takeOne(owner);
    await start(owner, claim);
    expect(await owner.results.find(id)).toBeUndefined();
    await owner.settle([{ claim, outcome: { kind: "retry", at: queue.now() + HOUR_MS, error: "not yet" } }]);
    expect(await owner.results.find(id)).toBeUndefined();
  });

  fact("a dead letter is its own result, until it is put back", async (_queue, owner) => {
    const id = await keepOne(owner, named("a"));
    await buryNext(owner, "no such user");
    expect(await owner.results.find(id)).toMatchObject({
      kind: "dead",
      id,
      reason: "no such user",
      attempt: 1,
    });
    await owner.putBack([id]);
    expect(await owner.results.find(id)).toBeUndefined();
    const claim = await takeOne(owner);
    await start(owner, claim);
    await answer(owner, claim, "at last");
    expect(await owner.results.find(id)).toMatchObject({ kind: "done", value: "at last" });
  });

  fact("a result is gone when its time is over", async (queue, owner) => {
    const id = await answered(owner, 1, 60_000);
    await queue.advance(50_000);
    expect(await owner.results.find(id)).toMatchObject({ value: 1 });
    await queue.advance(20_000);
    expect(await owner.results.find(id)).toBeUndefined();
  });

  fact(
    "a task with a key has a result of its own",
    async (_queue, owner) => {
      const ids: string[] = [];
      for (const value of ["first", "second"]) {
        ids.push(await keepOne(owner, named("a", { key: "order:42" })));
        const claim = await takeOne(owner);
        await start(owner, claim);
        await answer(owner, claim, value);
      }
      const found = await Promise.all(ids.map((id) => owner.results.find(id)));
      expect(found).toMatchObject([{ value: "first" }, { value: "second" }]);
    },
    ["keys"],
  );

  fact("an outcome that is refused leaves no result, nor takes another's place", async (queue, owner) => {
    const id = await keepOne(owner, named("a"));
    const stale = await takeOne(owner);
    await start(owner, stale);
    await queue.lapse(owner);
    const other = await queue.open();
    const claim = await takeOne(other);
    await start(other, claim);
    expect(await answer(owner, stale, "stale")).toBe("lost");
    expect(await other.results.find(id)).toBeUndefined();
    expect(await answer(other, claim, "true")).toBe("settled");
    expect(await answer(owner, stale, "stale")).toBe("lost");
    expect(await other.results.find(id)).toMatchObject({ kind: "done", value: "true" });
  });

  fact("a result that is signed with another secret is none", async (queue, owner) => {
    const foreign: Codec = { ...testCodec, unseal: () => undefined };
    const id = await answered(owner, "forged");
    expect(await (await queue.open({ codec: foreign })).results.find(id)).toBeUndefined();
  });

  fact("who waits is told of the first that ends, be it done or dead", async (queue, owner) => {
    const ids = [await keepOne(owner, named("a")), await keepOne(owner, named("b"))];
    const caller = await queue.open();
    const waiting = caller.results.wait(ids, later(queue), never);
    expect(await settlesWithin(100, waiting)).toBe(false);
    const [first, second] = [await takeOne(owner), await takeOne(owner)];
    await start(owner, first);
    await start(owner, second);
    await answer(owner, first, 1);
    expect(kindsOf(await waiting)).toEqual([`done ${first.task.id}`]);
    const next = caller.results.wait([second.task.id], later(queue), never);
    await owner.settle([{ claim: second, outcome: { kind: "dead", reason: "broken" } }]);
    expect(await next).toMatchObject([{ kind: "dead", reason: "broken" }]);
  });

  fact("who waits for what has ended is told at once", async (queue, owner) => {
    const id = await answered(owner, 1);
    const waiting = owner.results.wait([id], later(queue), never);
    expect(kindsOf(await waiting)).toEqual([`done ${id}`]);
  });

  fact(
    "who waits for a task that is cancelled or was never there is told that it is gone",
    async (queue, owner) => {
      const id = await keepOne(owner, named("a"));
      const waiting = owner.results.wait([id], later(queue), never);
      expect(await settlesWithin(100, waiting)).toBe(false);
      await owner.cancel(id);
      expect(await waiting).toEqual([{ kind: "gone", id }]);
      expect(await owner.results.wait(["nobody"], later(queue), never)).toEqual([
        { kind: "gone", id: "nobody" },
      ]);
    },
  );

  fact("a wait ends with nothing at its time, or when it is broken off", async (queue, owner) => {
    const id = await keepOne(owner, named("a"));
    const signal = AbortSignal.abort();
    expect(await owner.results.wait([id], later(queue), signal)).toEqual([]);
    const giveUp = new AbortController();
    const waiting = owner.results.wait([id], later(queue), giveUp.signal);
    expect(await settlesWithin(50, waiting)).toBe(false);
    giveUp.abort();
    expect(await waiting).toEqual([]);
    const timed = owner.results.wait([id], queue.now() + 5_000, never);
    await queue.advance(6_000);
    expect(await timed).toEqual([]);
    expect(await owner.find(id)).toMatchObject({ state: "waiting" });
  });

  fact(
    "who waits outlives an owner that is killed, and gets the answer of the next",
    async (queue, owner) => {
      const id = await keepOne(owner, named("a"));
      const victim = await queue.open();
      const claim = await takeOne(victim);
      await start(victim, claim);
      const waiting = owner.results.wait([id], later(queue, 3_600), never);
      await queue.kill(victim);
      const heir = await queue.open();
      const again = await takeOne(heir);
      await start(heir, again);
      await answer(heir, again, "from the heir");
      expect(await waiting).toMatchObject([{ kind: "done", value: "from the heir", attempt: 2 }]);
    },
  );

  fact("how far a running task is can be read while it runs", async (queue, owner) => {
    const id = await keepOne(owner, named("a"));
    const claim = await takeOne(owner);
    await start(owner, claim);
    expect(await owner.results.progress([id])).toEqual(new Map());
    await owner.results.report(claim, progress(3, 10));
    const other = await queue.open();
    expect(await other.results.progress([id, "nobody"])).toEqual(new Map([[id, progress(3, 10)]]));
    await owner.results.report(claim, progress(4.5));
    expect(await other.results.progress([id])).toEqual(new Map([[id, progress(4.5)]]));
    await owner.settle([{ claim, outcome: { kind: "retry", at: queue.now(), error: "again" } }]);
    expect(await other.results.progress([id])).toEqual(new Map());
    await owner.results.report(claim, progress(9));
    expect(await other.results.progress([id])).toEqual(new Map());
  });

  fact("what an attempt said of itself is not said of the next one", async (queue, owner) => {
    const id = await keepOne(owner, named("a"));
    const victim = await queue.open();
    const claim = await takeOne(victim);
    await start(victim, claim);
    await victim.results.report(claim, progress(9, 10));
    await queue.kill(victim);
    const again = await takeOne(owner);
    await start(owner, again);
    expect(await owner.results.progress([id])).toEqual(new Map());
    await owner.results.report(again, progress(1, 10));
    expect(await owner.results.progress([id])).toEqual(new Map([[id, progress(1, 10)]]));
  });

  fact("results are neither tasks nor in the way of any", async (_queue, owner) => {
    const id = await answered(owner, 1);
    expect(await owner.depth()).toMatchObject({ waiting: 0, delayed: 0, running: 0, dead: 0 });
    await owner.purge(["waiting", "delayed", "dead"]);
    expect(await take(owner)).toEqual([]);
    expect(await owner.results.find(id)).toMatchObject({ kind: "done" });
  });
}
