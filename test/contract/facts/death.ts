import { expect } from "vitest";
import type { Broker } from "../../../src/ports/broker.ts";
import { LEASE_MS } from "../../../src/ports/broker.ts";
import type { QueueUnderTest } from "../broker-contract.ts";
import {
  drain,
  finish,
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

type End = (queue: QueueUnderTest, owner: Broker) => Promise<void>;

export function deathFacts(fact: Fact): void {
  endFacts(fact, "was killed", (queue, owner) => queue.kill(owner));
  endFacts(fact, "stalled", (queue, owner) => queue.lapse(owner));

  fact("a late start of a task that another owner took is refused", async (queue, owner) => {
    await keepOne(owner, named("a"));
    const late = await takeOne(owner);
    await queue.lapse(owner);
    const other = await queue.open();
    const claim = await takeOne(other);
    expect(await owner.start(late, { last: true })).toBe("lost");
    await finish(other, claim);
  });

  fact("an owner that stalled claims again under a new lease", async (queue, owner) => {
    await keepOne(owner, named("a"));
    await takeOne(owner);
    await queue.lapse(owner);
    expect(names(await take(await queue.open()))).toEqual(["a"]);
    await keepOne(owner, named("b"));
    const claim = await takeOne(owner);
    expect(claim.task.args).toEqual(["b"]);
    await finish(owner, claim);
  });

  fact("a killed owner takes nothing along that it did not hold", async (queue, owner) => {
    await keep(owner, named("done"), named("retried"), named("waiting"));
    await finish(owner, await takeOne(owner));
    const at = queue.now();
    await finish(owner, await takeOne(owner), { kind: "retry", at, error: "again" });
    await queue.kill(owner);
    await queue.advance(1_000);
    const met = await drain(await queue.open());
    expect(met.map(({ name, attempt, alone }) => [name, attempt, alone]).sort()).toEqual([
      ["retried", 2, false],
      ["waiting", 1, false],
    ]);
  });

  fact("every kept task outlives its publisher", async (queue, owner) => {
    await keep(owner, ...series("t", 10).map((name) => named(name)));
    await queue.kill(owner);
    expect((await drain(await queue.open())).map((met) => met.name)).toEqual(series("t", 10));
  });
}

function endFacts(fact: Fact, ended: string, end: End): void {
  fact(
    `what an owner held that ${ended} is claimed by another at once, in the old order`,
    async (queue, owner) => {
      await keep(owner, ...series("t", 6).map((name) => named(name)));
      await startFirst(owner, { held: 4, started: 1 });
      await end(queue, owner);
      const met = await drain(await queue.open());
      expect(met.map(({ name }) => name)).toEqual(series("t", 6));
    },
  );

  fact(`what an owner had started that ${ended} is charged, its neighbours are not`, async (queue, owner) => {
    await keep(owner, ...series("t", 5).map((name) => named(name)));
    await startFirst(owner, { held: 5, started: 2 });
    await end(queue, owner);
    const met = await drain(await queue.open());
    expect(met.map(({ name, attempt }) => [name, attempt])).toEqual([
      ["t0", 2],
      ["t1", 2],
      ["t2", 1],
      ["t3", 1],
      ["t4", 1],
    ]);
  });

  fact(`what an owner had started that ${ended} is handed out alone, one at a time`, async (queue, owner) => {
    await keep(owner, ...series("t", 6).map((name) => named(name)));
    await startFirst(owner, { held: 4, started: 2 });
    await end(queue, owner);
    const met = await drain(await queue.open());
    const started = met.filter(({ name }) => name === "t0" || name === "t1");
    expect(started).toMatchObject([{ alone: true }, { alone: true }]);
    for (const { alone, together } of met) expect(!alone || together === 1).toBe(true);
  });

  fact(`a task whose owner ${ended} again and again is charged once per start`, async (queue, owner) => {
    await keep(owner, named("poison"), ...series("t", 3).map((name) => named(name)));
    let runner = owner;
    for (const attempt of [1, 2, 3, 4]) {
      const [claim] = await take(runner, 10);
      if (claim === undefined) throw new Error("nothing could be claimed");
      expect(claim).toMatchObject({ attempt, alone: attempt > 1 });
      expect(claim.task.args).toEqual(["poison"]);
      await start(runner, claim);
      await end(queue, runner);
      runner = await queue.open();
    }
    const poison = await takeOne(runner);
    expect(poison).toMatchObject({ attempt: 5, alone: true });
    expect(await runner.settle([{ claim: poison, outcome: { kind: "dead", reason: "killed 4" } }])).toEqual([
      "settled",
    ]);
    const met = await drain(runner);
    expect(met).toMatchObject(series("t", 3).map((name) => ({ name, attempt: 1 })));
  });

  fact(
    `a suspect whose owner ${ended} stays alone and uncharged when it is released unstarted`,
    async (queue, owner) => {
      await keepOne(owner, named("suspect"));
      await startFirst(owner, { held: 1, started: 1 });
      await end(queue, owner);
      const careful = await queue.open();
      const claim = await takeOne(careful);
      await careful.release([claim]);
      expect(await takeOne(await queue.open())).toMatchObject({ attempt: 2, alone: true });
    },
  );

  fact(
    `a suspect that has shown itself harmless after its owner ${ended} is claimed as any other`,
    async (queue, owner) => {
      await keep(owner, named("suspect"), named("b"));
      await startFirst(owner, { held: 1, started: 1 });
      await end(queue, owner);
      const other = await queue.open();
      const claim = await takeOne(other);
      expect(claim).toMatchObject({ attempt: 2, alone: true });
      await finish(other, claim, { kind: "retry", at: queue.now(), error: "no luck" });
      await queue.advance(1_000);
      const met = await drain(other);
      expect(met).toContainEqual(expect.objectContaining({ name: "suspect", attempt: 3, alone: false }));
      expect(met).toHaveLength(2);
    },
  );

  fact(
    `a suspect comes alone after its owner ${ended}, wherever it stands in the line`,
    async (queue, owner) => {
      await keep(owner, named("a"), named("suspect"), named("c"));
      const careful = await queue.open();
      const a = await takeOne(careful);
      await startFirst(owner, { held: 1, started: 1 });
      await end(queue, owner);
      await careful.release([a]);
      const met = await drain(await queue.open());
      expect(met).toContainEqual({ name: "suspect", attempt: 2, alone: true, together: 1 });
      expect(met.map(({ name, attempt }) => [name, attempt]).sort()).toEqual([
        ["a", 1],
        ["c", 1],
        ["suspect", 2],
      ]);
    },
  );

  fact(
    `a suspect whose owner ${ended} is not given to an owner that holds something`,
    async (queue, owner) => {
      await keep(owner, named("suspect"), named("b"));
      await startFirst(owner, { held: 1, started: 1 });
      const busy = await queue.open();
      const b = await takeOne(busy);
      await end(queue, owner);
      expect(await take(busy)).toEqual([]);
      await finish(busy, b);
      expect(await take(busy)).toMatchObject([{ attempt: 2, alone: true }]);
    },
  );

  fact(
    `who holds a suspect whose owner ${ended} gets nothing else, and holds up nobody`,
    async (queue, owner) => {
      await keep(owner, named("suspect"), named("b"), named("c"));
      await startFirst(owner, { held: 1, started: 1 });
      await end(queue, owner);
      const careful = await queue.open();
      const suspect = await takeOne(careful);
      expect(suspect).toMatchObject({ attempt: 2, alone: true });
      await start(careful, suspect);
      expect(await take(careful)).toEqual([]);
      expect(names([await takeOne(await queue.open())])).toEqual(["b"]);
      expect(await careful.settle([{ claim: suspect, outcome: { kind: "done" } }])).toEqual(["settled"]);
      expect(names(await take(careful))).toEqual(["c"]);
    },
  );

  fact(
    `passing over one whose owner ${ended} costs nothing once another has taken it`,
    async (queue, owner) => {
      await keep(owner, named("suspect"), named("a"));
      await startFirst(owner, { held: 1, started: 1 });
      const busy = await queue.open();
      const a = await takeOne(busy);
      await start(busy, a);
      await end(queue, owner);
      for (let third = 0; third < 4; third++) {
        expect(await take(busy)).toEqual([]);
        await queue.advance(LEASE_MS / 3);
        await busy.renew();
      }
      expect(names([await takeOne(await queue.open())])).toEqual(["suspect"]);
      expect(await busy.settle([{ claim: a, outcome: { kind: "done" } }])).toEqual(["settled"]);
      await keepOne(busy, named("b"));
      expect(names(await take(busy))).toEqual(["b"]);
    },
  );

  fact(
    `who passed over one whose owner ${ended} is given others as soon as another has taken it`,
    async (queue, owner) => {
      await keep(owner, named("suspect"), named("a"));
      await startFirst(owner, { held: 1, started: 1 });
      const busy = await queue.open();
      await takeOne(busy);
      await end(queue, owner);
      expect(await take(busy)).toEqual([]);
      const other = await queue.open();
      expect(names([await takeOne(other)])).toEqual(["suspect"]);
      for (let third = 0; third < 4; third++) {
        await queue.advance(LEASE_MS / 3);
        for (const seat of [busy, other]) await seat.renew();
      }
      await keepOne(busy, named("b"));
      expect(names(await take(busy))).toEqual(["b"]);
    },
  );

  fact(
    `a start on record is charged after its owner ${ended}, whatever atOnce said`,
    async (queue, owner) => {
      await keep(owner, ...series("t", 3).map((name) => named(name)));
      const claims = await takeCount(owner, 3, 3);
      for (const claim of claims) await start(owner, claim, true);
      await end(queue, owner);
      const met = await drain(await queue.open());
      expect(met).toMatchObject(
        series("t", 3).map((name) => ({ name, attempt: 2, alone: true, together: 1 })),
      );
    },
  );
}

async function startFirst(owner: Broker, count: { held: number; started: number }): Promise<void> {
  const claims = await takeCount(owner, count.held, count.started);
  for (const claim of claims.slice(0, count.started)) await start(owner, claim);
}
