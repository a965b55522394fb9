import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Broker, Claim } from "../../../../src/ports/broker.ts";
import type { Outcome } from "../../../../src/task/outcome.ts";
import { EmbeddedQueue } from "../../../contract/embedded.harness.ts";
import {
  drain,
  finish,
  keep,
  named,
  names,
  series,
  start,
  take,
  takeCount,
  takeOne,
} from "../../../contract/facts/ground.ts";

// 64 of a claim are started by themselves, the next ones in stretches of 2, of 4, of 8, ...
const TASKS = 110;
const CLAIMED = 100;
const BY_THEMSELVES = 64;

let queue: EmbeddedQueue;
let owner: Broker;
let nowMs: number;

beforeEach(async () => {
  queue = new EmbeddedQueue();
  owner = await queue.open();
  nowMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => (nowMs += 0.01));
  await keep(owner, ...series("t", TASKS).map((name) => named(name)));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await queue.tearDown();
});

/** Another owner, after this one was killed when it had started so many of what it had claimed. */
async function afterDeath(started: number): Promise<Broker> {
  const claims = await takeCount(owner, CLAIMED);
  for (const claim of claims.slice(0, started)) await start(owner, claim);
  await queue.kill(owner);
  return queue.open();
}

/** What is claimed next is done, until the task of that name is: that one is answered. */
async function nextUntil(other: Broker, name: string): Promise<Claim> {
  for (;;) {
    const claim = await takeOne(other);
    if (claim.task.args[0] === name) return claim;
    await finish(other, claim);
  }
}

describe("of tasks that take no time, started in stretches,", () => {
  test("those of a dead owner's last stretch are handed out alone and uncharged, the others as ever", async () => {
    const met = await drain(await afterDeath(BY_THEMSELVES + 3));
    const of = (from: number, to: number, how: object): object[] =>
      series("t", TASKS)
        .slice(from, to)
        .map((name) => ({ name, ...how }));
    expect(met).toMatchObject([
      ...of(0, 64, { attempt: 2, alone: true, together: 1 }),
      ...of(64, 70, { attempt: 1, alone: true, together: 1 }), // stretches of 2 and of 4, three of them started
      ...of(70, TASKS, { attempt: 1, alone: false, together: TASKS - 70 }),
    ]);
  });

  test("one that ends every process is started as often as its attempts allow", async () => {
    let other = await afterDeath(BY_THEMSELVES + 1);
    const killer = await nextUntil(other, "t64");
    expect(killer).toMatchObject({ attempt: 1, alone: true });
    await start(other, killer); // its second start
    await queue.kill(other);
    other = await queue.open();
    expect(await nextUntil(other, "t64")).toMatchObject({ attempt: 3, alone: true });
  });

  test("one that ended nobody loses no attempt, however it ends", async () => {
    const ends: readonly Outcome[] = [
      { kind: "retry", at: 0, error: "busy" },
      { kind: "dead", reason: "no such user" },
    ];
    const other = await afterDeath(BY_THEMSELVES + 1);
    const ids: string[] = [];
    for (const [nth, outcome] of ends.entries()) {
      const claim = await nextUntil(other, `t${String(BY_THEMSELVES + nth)}`);
      ids.push(claim.task.id);
      await finish(other, claim, outcome);
    }
    const found = await Promise.all(ids.map((id) => other.find(id)));
    expect(found.map((record) => record?.attempts)).toEqual([1, 1]);
  });

  test("one that is handed back has not been charged, and is as any other", async () => {
    const other = await afterDeath(BY_THEMSELVES + 1);
    const claim = await nextUntil(other, "t64");
    await start(other, claim);
    await other.release([claim]);
    await finish(other, await nextUntil(other, "t65"));
    const next = await take(other);
    expect(names(next)[0]).toBe("t64");
    expect(next[0]).toMatchObject({ attempt: 1, alone: false });
    await start(other, next[0] as Claim);
    await queue.kill(other);
    expect(await takeOne(await queue.open())).toMatchObject({ attempt: 2, alone: true });
  });

  test("one that is claimed and not started by the next owner, which dies, is still handed out alone", async () => {
    const other = await afterDeath(BY_THEMSELVES + 1);
    await nextUntil(other, "t64");
    await queue.kill(other);
    expect(await takeOne(await queue.open())).toMatchObject({ attempt: 1, alone: true });
  });

  test("those that are handed back before their start are none of it", async () => {
    const claims = await takeCount(owner, CLAIMED);
    for (const claim of claims.slice(0, BY_THEMSELVES + 3)) await start(owner, claim);
    await owner.release(claims.slice(BY_THEMSELVES + 4)); // two of the stretch that has been begun
    await queue.kill(owner);
    const met = await drain(await queue.open());
    expect(met.filter(({ alone }) => alone)).toHaveLength(BY_THEMSELVES + 4);
  });

  test("those that are left out are none of it, and nothing is noted in advance any more", async () => {
    const claims = await takeCount(owner, CLAIMED);
    const [first, ...rest] = claims;
    await start(owner, first as Claim);
    for (const [nth, claim] of rest.entries()) if (nth % 2 === 0) await start(owner, claim);
    await queue.kill(owner);
    const met = await drain(await queue.open());
    expect(met.filter(({ alone }) => alone).map(({ attempt }) => attempt)).toEqual(
      Array.from({ length: CLAIMED / 2 + 1 }, () => 2),
    );
  });

  test("slow ones, each settled before the next one starts, are noted one by one", async () => {
    for (const claim of (await takeCount(owner, CLAIMED)).slice(0, BY_THEMSELVES + 3)) {
      await start(owner, claim);
      nowMs += 6;
      await finish(owner, claim);
    }
    const [next] = await take(owner);
    await start(owner, next as Claim);
    await queue.kill(owner);
    const met = await drain(await queue.open());
    expect(met.filter(({ alone }) => alone)).toMatchObject([{ attempt: 2 }]);
  });

  test("the last attempt of one is on record all the same", async () => {
    const claims = await takeCount(owner, CLAIMED);
    for (const claim of claims.slice(0, BY_THEMSELVES + 3)) await start(owner, claim);
    await start(owner, claims[BY_THEMSELVES + 3] as Claim, true);
    await queue.kill(owner);
    const met = await drain(await queue.open());
    expect(met.find(({ name }) => name === "t67")).toMatchObject({ attempt: 2, alone: true });
  });

  test("those that were never in a range are told as the others", async () => {
    queue.sql(
      `INSERT INTO held_range(queue, first, last, holder)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16)
       SELECT 1, 1000000 + i, 1000000 + i, 1000000 FROM n`,
    );
    const met = await drain(await afterDeath(BY_THEMSELVES + 1));
    expect(met.filter(({ alone }) => alone)).toHaveLength(BY_THEMSELVES + 2);
    expect(met.filter(({ attempt }) => attempt === 2)).toHaveLength(BY_THEMSELVES);
    queue.sql("DELETE FROM held_range");
  });
});
