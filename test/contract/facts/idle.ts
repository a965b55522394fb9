import { expect } from "vitest";
import {
  finish,
  idleOf,
  inSeconds,
  keep,
  keepOne,
  named,
  names,
  take,
  takeCount,
  takeOne,
} from "./ground.ts";
import type { Fact } from "./ground.ts";

export function idleFacts(fact: Fact): void {
  fact("an empty queue says so, dead letters or not", async (_queue, owner) => {
    expect(await idleOf(owner)).toEqual({ kind: "empty" });
    await keepOne(owner, named("a"));
    await finish(owner, await takeOne(owner), { kind: "dead", reason: "no use" });
    expect(await idleOf(owner)).toEqual({ kind: "empty" });
  });

  fact("tasks held by others are counted", async (queue, owner) => {
    await keep(owner, named("a"), named("b"), named("c"));
    await takeCount(owner, 2);
    const third = await queue.open();
    await takeOne(third);
    expect(await idleOf(await queue.open())).toEqual({ kind: "held", count: 3 });
  });

  fact("what an owner holds itself is not held by others", async (queue, owner) => {
    await keep(owner, named("a"), named("b"), named("c"));
    await takeCount(owner, 2);
    const other = await queue.open();
    await takeOne(other);
    expect(await idleOf(owner)).toEqual({ kind: "held", count: 1 });
    await other.close();
    await takeOne(owner);
    expect(await idleOf(owner)).toEqual({ kind: "empty" });
  });

  fact("held by others tells when the next task falls due", async (queue, owner) => {
    await keep(owner, named("a"), named("b"));
    await takeOne(owner);
    const at = inSeconds(queue, 40);
    await finish(owner, await takeOne(owner), { kind: "retry", at, error: "no luck" });
    expect(await idleOf(await queue.open())).toEqual({ kind: "held", count: 1, nextDueAt: at });
  });

  fact("only delayed tasks: due at the soonest", async (queue, owner) => {
    await keep(owner, named("late"), named("soon"));
    const soon = inSeconds(queue, 40);
    await finish(owner, await takeOne(owner), { kind: "retry", at: soon + 60_000, error: "no luck" });
    await finish(owner, await takeOne(owner), { kind: "retry", at: soon, error: "no luck" });
    expect(await idleOf(owner)).toEqual({ kind: "due", at: soon });
    expect(await idleOf(await queue.open())).toEqual({ kind: "due", at: soon });
  });

  fact("a pause stops the claims of every owner until it is resumed", async (queue, owner) => {
    await keepOne(owner, named("a"));
    await owner.pause();
    const other = await queue.open();
    expect(await idleOf(owner)).toEqual({ kind: "paused" });
    expect(await idleOf(other)).toEqual({ kind: "paused" });
    await queue.advance(86_400_000);
    expect(await idleOf(other)).toEqual({ kind: "paused" });
    expect(await owner.depth()).toMatchObject({ waiting: 1, pausedUntil: Infinity });
    await other.resume();
    expect((await owner.depth()).pausedUntil).toBeUndefined();
    expect(names(await take(owner))).toEqual(["a"]);
  });

  fact("a pause with an end is over by itself", async (queue, owner) => {
    await keepOne(owner, named("a"));
    const untilMs = inSeconds(queue, 60);
    await owner.pause(untilMs);
    const other = await queue.open();
    expect(await idleOf(other)).toEqual({ kind: "paused", untilMs });
    expect(await other.depth()).toMatchObject({ waiting: 1, pausedUntil: untilMs });
    await queue.advance(59_000);
    expect(await idleOf(other)).toEqual({ kind: "paused", untilMs });
    await queue.advance(2_000);
    expect((await other.depth()).pausedUntil).toBeUndefined();
    expect(names(await take(other))).toEqual(["a"]);
  });

  fact("a later pause takes the place of the one before", async (queue, owner) => {
    await keepOne(owner, named("a"));
    const untilMs = inSeconds(queue, 60);
    await owner.pause();
    await owner.pause(untilMs);
    expect(await idleOf(owner)).toEqual({ kind: "paused", untilMs });
    await owner.pause();
    expect(await idleOf(owner)).toEqual({ kind: "paused" });
  });

  fact("a paused queue still takes tasks in and lets held ones end", async (_queue, owner) => {
    await keep(owner, named("a"), named("b"));
    const [done, back] = await takeCount(owner, 2);
    if (!done || !back) throw new Error("two were claimed");
    await owner.pause();
    await keepOne(owner, named("c"));
    await finish(owner, done);
    await owner.release([back]);
    expect(await owner.depth()).toMatchObject({ waiting: 2, running: 0 });
    await owner.resume();
    expect(names(await takeCount(owner, 2))).toEqual(["b", "c"]);
  });

  fact("resuming a queue that is not paused is no error", async (_queue, owner) => {
    await owner.resume();
    expect(await idleOf(owner)).toEqual({ kind: "empty" });
  });
}
