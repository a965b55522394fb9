import { expect } from "vitest";
import type { Broker } from "../../../src/ports/broker.ts";
import type { QueueUnderTest } from "../broker-contract.ts";
import { finish, idleOf, inSeconds, keepOne, named, names, settlesWithin, take, takeOne } from "./ground.ts";
import type { Fact } from "./ground.ts";

const SHORTLY_MS = 5_000; // a wake-up takes milliseconds; a loaded machine gets this much
const A_MOMENT_MS = 60; // long enough to see a wait that does not wait

export function waitFacts(fact: Fact): void {
  fact("a wait ends when another owner publishes", async (queue, owner) => {
    const other = await queue.open();
    await idleOf(owner);
    await whileWaiting(queue, owner, async (waiting) => {
      expect(await settlesWithin(A_MOMENT_MS, waiting)).toBe(false);
      await keepOne(other, named("a"));
      expect(await settlesWithin(SHORTLY_MS, waiting)).toBe(true);
    });
    expect(names(await take(owner))).toEqual(["a"]);
  });

  fact("what was published between a claim and the wait is not slept through", async (queue, owner) => {
    const other = await queue.open();
    await idleOf(owner);
    await keepOne(other, named("a"));
    await whileWaiting(queue, owner, async (waiting) => {
      expect(await settlesWithin(SHORTLY_MS, waiting)).toBe(true);
    });
  });

  fact("a wait ends when a task falls due", async (queue, owner) => {
    await keepOne(owner, named("a"));
    const at = inSeconds(queue, 2);
    await finish(owner, await takeOne(owner), { kind: "retry", at, error: "no luck" });
    expect(await idleOf(owner)).toMatchObject({ kind: "due" });
    await whileWaiting(queue, owner, async (waiting) => {
      await queue.advance(4_000);
      expect(await settlesWithin(SHORTLY_MS, waiting)).toBe(true);
    });
  });

  fact("a wait ends at its deadline", async (queue, owner) => {
    await idleOf(owner);
    const signal = new AbortController().signal;
    const waiting = owner.wait(queue.now() + 2_000, signal);
    expect(await settlesWithin(A_MOMENT_MS, waiting)).toBe(false);
    await queue.advance(3_000);
    expect(await settlesWithin(SHORTLY_MS, waiting)).toBe(true);
  });

  fact("a deadline that has passed does not wait", async (queue, owner) => {
    await idleOf(owner);
    expect(await settlesWithin(SHORTLY_MS, owner.wait(queue.now() - 1, new AbortController().signal))).toBe(
      true,
    );
  });

  fact("a wait ends when it is aborted, before or meanwhile", async (queue, owner) => {
    await idleOf(owner);
    const stop = new AbortController();
    const waiting = owner.wait(queue.now() + 3_600_000, stop.signal);
    expect(await settlesWithin(A_MOMENT_MS, waiting)).toBe(false);
    stop.abort();
    expect(await settlesWithin(SHORTLY_MS, waiting)).toBe(true);
    expect(await settlesWithin(SHORTLY_MS, owner.wait(queue.now() + 3_600_000, stop.signal))).toBe(true);
  });

  fact("a wait ends when another owner hands tasks back or resumes the queue", async (queue, owner) => {
    const other = await queue.open();
    await keepOne(other, named("a"));
    const claim = await takeOne(other);
    expect(await idleOf(owner)).toMatchObject({ kind: "held" });
    await whileWaiting(queue, owner, async (waiting) => {
      await other.release([claim]);
      expect(await settlesWithin(SHORTLY_MS, waiting)).toBe(true);
    });
    await other.pause();
    expect(await idleOf(owner)).toEqual({ kind: "paused" });
    await whileWaiting(queue, owner, async (waiting) => {
      await other.resume();
      expect(await settlesWithin(SHORTLY_MS, waiting)).toBe(true);
    });
    expect(names(await take(owner))).toEqual(["a"]);
  });
}

/** Leaves no wait behind, whatever the test finds. */
async function whileWaiting(
  queue: QueueUnderTest,
  owner: Broker,
  look: (waiting: Promise<void>) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const waiting = owner.wait(queue.now() + 3_600_000, stop.signal);
  try {
    await look(waiting);
  } finally {
    stop.abort();
    await waiting;
  }
}
