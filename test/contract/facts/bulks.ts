import { expect } from "vitest";
import type { Broker } from "../../../src/ports/broker.ts";
import type { BulkKept, BulkStep } from "../../../src/ports/bulks.ts";
import type { Draft } from "../../../src/task/task.ts";
import { buryNext, drain, finish, inSeconds, keep, named, series, start, take, takeOne } from "./ground.ts";
import type { Fact } from "./ground.ts";

interface Step {
  readonly expected?: string | undefined;
  readonly place?: string;
}

const step = (
  owner: Broker,
  drafts: readonly Draft[],
  { expected, place = "a" }: Step = {},
): Promise<BulkKept> => owner.bulks.publish(drafts, { name: "Frühling", expected, place: () => place });

const drafts = (prefix: string, count: number): Draft[] => series(prefix, count).map((name) => named(name));
const namesMet = async (owner: Broker): Promise<unknown[]> => (await drain(owner)).map(({ name }) => name);

/** Of the bulk "b": to conclude it may be a step of its own. */
const versionOf = async (owner: Broker, before: string): Promise<string> =>
  (await owner.bulks.resume("b"))?.version ?? before;

export function bulkFacts(fact: Fact): void {
  fact("a bulk that was never begun is unknown", async (_queue, owner) => {
    expect(await owner.bulks.resume("Frühling")).toBeUndefined();
    expect(await owner.bulks.count("Frühling")).toBeUndefined();
  });

  fact(
    "the parts of a bulk are kept with its place, by one publisher after the other",
    async (queue, owner) => {
      const first = await step(owner, drafts("a", 3), { place: "behind a" });
      expect(first.answers.map(({ kind }) => kind)).toEqual(["kept", "kept", "kept"]);
      await step(owner, drafts("b", 2), { expected: first.version, place: "behind b" });
      const other = await queue.open();
      const state = await other.bulks.resume("Frühling");
      expect(state).toMatchObject({ place: "behind b", kept: 5 });
      await step(other, [], { expected: state?.version, place: "end" });
      expect(await owner.bulks.resume("Frühling")).toMatchObject({ place: "end", kept: 5 });
      expect(await namesMet(other)).toEqual(["a0", "a1", "a2", "b0", "b1"]);
    },
  );

  fact("the place is made of the answers", async (_queue, owner) => {
    const lossy = { method: "note", args: [undefined] } as unknown as Draft;
    await owner.bulks.publish([named("a"), lossy], {
      name: "x",
      expected: undefined,
      place: (answers) => answers.map(({ kind }) => kind).join(),
    });
    expect(await owner.bulks.resume("x")).toMatchObject({ place: "kept,refused", kept: 1 });
  });

  fact("whoever does not know where a bulk is keeps nothing of it", async (queue, owner) => {
    const { version } = await step(owner, drafts("a", 1));
    const other = await queue.open();
    await expect(step(other, drafts("b", 1))).rejects.toMatchObject({ code: "BULK_TAKEN" });
    await step(owner, drafts("c", 1), { expected: version });
    await expect(step(other, drafts("d", 1), { expected: version })).rejects.toMatchObject({
      code: "BULK_TAKEN",
    });
    expect(await namesMet(owner)).toEqual(["a0", "c0"]);
  });

  fact("going on again and again lists nothing twice, whatever became of the tasks", async (queue, owner) => {
    await step(owner, [...drafts("a", 4), named("late", { dueAt: inSeconds(queue, 60) })]);
    const other = await queue.open();
    const [claim] = await take(owner, 1);
    await (await queue.open()).bulks.resume("Frühling");
    if (claim === undefined) throw new Error("nothing to claim");
    await finish(owner, claim);
    await (await queue.open()).bulks.resume("Frühling");
    expect(await namesMet(other)).toEqual(["a1", "a2", "a3"]);
    await (await queue.open()).bulks.resume("Frühling");
    expect(await namesMet(other)).toEqual([]);
    await queue.advance(61_000);
    expect(await namesMet(other)).toEqual(["late"]);
  });

  fact("every task of a bulk is counted where it is", async (queue, owner) => {
    await keep(owner, named("stranger"));
    const { answers } = await step(owner, [
      ...drafts("a", 5),
      named("late", { dueAt: inSeconds(queue, 60) }),
    ]);
    const count = (): Promise<unknown> => owner.bulks.count("Frühling");
    const all = { place: "a", kept: 6, removed: 0 };
    expect(await count()).toEqual({ ...all, done: 0, dead: 0, left: 6 });
    await finish(owner, await takeOne(owner));
    expect(await count()).toEqual({ ...all, done: 0, dead: 0, left: 6 });
    await finish(owner, await takeOne(owner));
    expect(await count()).toEqual({ ...all, done: 1, dead: 0, left: 5 });
    const claim = await takeOne(owner);
    await start(owner, claim);
    expect(await count()).toEqual({ ...all, done: 1, dead: 0, left: 5 });
    await owner.settle([{ claim, outcome: { kind: "retry", at: queue.now(), error: "not yet" } }]);
    expect(await count()).toEqual({ ...all, done: 1, dead: 0, left: 5 });
    const dead = await buryNext(owner);
    expect(await count()).toEqual({ ...all, done: 1, dead: 1, left: 4 });
    await owner.putBack([dead]);
    expect(await count()).toEqual({ ...all, done: 1, dead: 0, left: 5 });
    await drain(owner);
    expect(await count()).toEqual({ ...all, done: 5, dead: 0, left: 1 });
    expect(answers).toHaveLength(6);
  });

  fact("what is cancelled or purged is not left", async (queue, owner) => {
    const { answers } = await step(owner, [
      ...drafts("a", 3),
      named("late", { dueAt: inSeconds(queue, 60) }),
    ]);
    const [first] = answers;
    await owner.cancel(first?.kind === "kept" ? first.id : "");
    expect(await owner.bulks.count("Frühling")).toMatchObject({ kept: 4, dead: 0, left: 3 });
    await buryNext(owner);
    await owner.purge(["waiting", "delayed"]);
    expect(await owner.bulks.count("Frühling")).toMatchObject({ kept: 4, dead: 1, left: 0 });
    await owner.purge(["dead"]);
    expect(await owner.bulks.count("Frühling")).toMatchObject({ kept: 4, dead: 0, left: 0 });
  });

  const then: Draft = { method: "note", args: ["then"] };
  const part = (owner: Broker, more: readonly Draft[], how: Partial<BulkStep> = {}): Promise<BulkKept> =>
    owner.bulks.publish(more, { name: "b", expected: undefined, place: () => "p", ...how });

  fact(
    "what follows a bulk is published once, when its input is at its end and all is settled",
    async (queue, owner) => {
      const { version } = await part(owner, drafts("a", 2), { then });
      expect(await owner.bulks.conclude()).toBe(0);
      expect(await namesMet(owner)).toEqual(["a0", "a1"]);
      expect(await owner.bulks.conclude()).toBe(0); // its publisher may go on
      await part(owner, drafts("c", 3), { expected: version, isLast: true });
      await finish(owner, await takeOne(owner));
      const dead = await buryNext(owner);
      const other = await queue.open();
      expect(await other.bulks.conclude()).toBe(0);
      const held = await takeOne(owner);
      expect(await other.bulks.conclude()).toBe(0); // it is held
      await finish(owner, held);
      expect(await other.bulks.conclude()).toBe(1);
      expect(await owner.bulks.conclude()).toBe(0);
      expect(await namesMet(owner)).toEqual(["then"]);
      await owner.putBack([dead]);
      expect(await namesMet(owner)).toEqual(["c1"]);
      expect([await owner.bulks.conclude(), await other.bulks.conclude()]).toEqual([0, 0]);
    },
  );

  fact(
    "what follows a bulk comes when the rest is cancelled, and for one without tasks",
    async (_queue, owner) => {
      const { answers, version } = await part(owner, drafts("a", 1), { then, isLast: true });
      const [first] = answers;
      await owner.cancel(first?.kind === "kept" ? first.id : "");
      await part(owner, [], { name: "none", then: { ...then, args: ["none"] }, isLast: true });
      expect(await owner.bulks.conclude()).toBe(2);
      expect(new Set(await namesMet(owner))).toEqual(new Set(["then", "none"]));
      await part(owner, [], { expected: await versionOf(owner, version), isLast: true });
      expect(await owner.bulks.conclude()).toBe(0); // nothing came
    },
  );

  fact("a bulk that grows after its end is followed again", async (_queue, owner) => {
    const { version } = await part(owner, drafts("a", 1), { then, isLast: true });
    await namesMet(owner);
    expect(await owner.bulks.conclude()).toBe(1);
    await part(owner, drafts("d", 1), { expected: await versionOf(owner, version), isLast: true });
    expect(await owner.bulks.conclude()).toBe(0);
    expect(await namesMet(owner)).toEqual(["then", "d0"]);
    expect(await owner.bulks.conclude()).toBe(1);
    expect(await namesMet(owner)).toEqual(["then"]);
  });

  fact("what a dead owner held of a bulk is left", async (queue, owner) => {
    const other = await queue.open();
    await step(owner, drafts("a", 3));
    const [claim] = await take(other, 3);
    if (claim !== undefined) await start(other, claim);
    await queue.kill(other);
    expect(await owner.bulks.count("Frühling")).toMatchObject({ left: 3, done: 0 });
    await drain(owner);
    expect(await owner.bulks.count("Frühling")).toMatchObject({ left: 0, done: 3 });
  });
}
