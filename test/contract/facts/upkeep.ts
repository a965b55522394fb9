import { expect } from "vitest";
import {
  buryNext,
  drain,
  finish,
  idleOf,
  inSeconds,
  keep,
  keepOne,
  named,
  series,
  start,
  takeOne,
} from "./ground.ts";
import type { Fact } from "./ground.ts";

export function upkeepFacts(fact: Fact): void {
  fact("a dead letter that is put back is waiting with fresh attempts", async (queue, owner) => {
    const id = await keepOne(owner, named("a"));
    await finish(owner, await takeOne(owner), { kind: "retry", at: queue.now(), error: "again" });
    await queue.advance(1_000);
    await buryNext(owner);
    await keepOne(owner, named("b"));
    await buryNext(owner);
    expect(await (await queue.open()).putBack([id, id, "nonsense"])).toBe(1);
    expect(await owner.find(id)).toMatchObject({ state: "waiting", attempts: 0 });
    expect(await owner.depth()).toMatchObject({ waiting: 1, dead: 1 });
    expect(await drain(owner)).toMatchObject([{ name: "a", attempt: 1, alone: false }]);
  });

  fact("all dead letters can be put back at once", async (_queue, owner) => {
    await keep(owner, ...series("t", 12).map((name) => named(name)));
    for (let count = 0; count < 12; count++) await buryNext(owner);
    expect(await owner.putBack("all")).toBe(12);
    expect(await owner.putBack("all")).toBe(0);
    expect((await drain(owner)).map((met) => [met.name, met.attempt]).sort()).toEqual(
      series("t", 12)
        .map((name) => [name, 1])
        .sort(),
    );
    expect(await owner.depth()).toEqual({ waiting: 0, delayed: 0, running: 0, dead: 0 });
  });

  fact("what is not a dead letter is not put back", async (queue, owner) => {
    const ids = await keep(owner, named("delayed"), named("running"), named("waiting"));
    await finish(owner, await takeOne(owner), { kind: "retry", at: inSeconds(queue, 60), error: "no luck" });
    const claim = await takeOne(owner);
    await start(owner, claim);
    expect(await owner.putBack(ids)).toBe(0);
    expect(await owner.putBack([])).toBe(0);
    expect(await owner.depth()).toMatchObject({ waiting: 1, delayed: 1, running: 1, dead: 0 });
    expect(await owner.settle([{ claim, outcome: { kind: "done" } }])).toEqual(["settled"]);
  });

  fact(
    "a waiting, delayed or dead task is cancelled, and never runs",
    async (queue, owner) => {
      const [dead = "", delayed = "", waiting = ""] = await keep(
        owner,
        named("dead"),
        named("delayed"),
        named("waiting"),
        named("kept"),
      );
      await buryNext(owner);
      await finish(owner, await takeOne(owner), {
        kind: "retry",
        at: inSeconds(queue, 60),
        error: "no luck",
      });
      const other = await queue.open();
      for (const id of [dead, delayed, waiting]) {
        expect(await other.cancel(id)).toBe("cancelled");
        expect(await other.find(id)).toBeUndefined();
        expect(await other.cancel(id)).toBe("absent");
      }
      expect(await other.depth()).toMatchObject({ waiting: 1, delayed: 0, dead: 0 });
      await queue.advance(120_000);
      expect((await drain(owner)).map((met) => met.name)).toEqual(["kept"]);
      expect(await owner.putBack([dead])).toBe(0);
    },
    ["list"],
  );

  fact(
    "a running task is not cancelled",
    async (queue, owner) => {
      const id = await keepOne(owner, named("a"));
      const claim = await takeOne(owner);
      await start(owner, claim, true);
      expect(await (await queue.open()).cancel(id)).toBe("running");
      expect(await owner.find(id)).toMatchObject({ state: "running" });
      expect(await owner.settle([{ claim, outcome: { kind: "done" } }])).toEqual(["settled"]);
    },
    ["list"],
  );

  fact(
    "a task that is not there cannot be cancelled",
    async (_queue, owner) => {
      const id = await keepOne(owner, named("a"));
      await finish(owner, await takeOne(owner));
      for (const absent of [id, "", "nonsense", "1 OR 1=1"])
        expect(await owner.cancel(absent)).toBe("absent");
    },
    ["list"],
  );

  fact(
    "purging removes the states it is given, and never a running task",
    async (queue, owner) => {
      await keep(owner, ...series("t", 6).map((name) => named(name)));
      await buryNext(owner);
      await finish(owner, await takeOne(owner), {
        kind: "retry",
        at: inSeconds(queue, 60),
        error: "no luck",
      });
      const claim = await takeOne(owner);
      await start(owner, claim);
      const other = await queue.open();
      expect(await other.purge([])).toBe(0);
      expect(await other.purge(["running"])).toBe(0);
      expect(await other.purge(["dead"])).toBe(1);
      expect(await other.depth()).toMatchObject({ waiting: 3, delayed: 1, running: 1, dead: 0 });
      expect(await other.purge(["waiting", "delayed", "running", "dead"])).toBe(4);
      expect(await other.depth()).toEqual({ waiting: 0, delayed: 0, running: 1, dead: 0 });
      expect(await owner.settle([{ claim, outcome: { kind: "done" } }])).toEqual(["settled"]);
      await queue.advance(120_000);
      expect(await idleOf(owner)).toEqual({ kind: "empty" });
    },
    ["list"],
  );

  fact(
    "purging reaches more tasks than one batch has",
    async (_queue, owner) => {
      for (const prefix of ["a", "b", "c"]) {
        await keep(owner, ...series(prefix, 700).map((name) => named(name)));
      }
      expect(await owner.purge(["waiting"])).toBe(2_100);
      expect(await idleOf(owner)).toEqual({ kind: "empty" });
    },
    ["list"],
  );
}
