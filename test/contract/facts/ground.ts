import { expect, test } from "vitest";
import type { Broker, Capabilities, Claim, Idle } from "../../../src/ports/broker.ts";
import { MAX_BATCH } from "../../../src/ports/broker.ts";
import { plainCodec } from "../../../src/task/codec.ts";
import type { Outcome } from "../../../src/task/outcome.ts";
import type { Draft } from "../../../src/task/task.ts";
import type { BrokerHarness, QueueUnderTest } from "../broker-contract.ts";

/** The codec of every owner that a test does not give another one. */
export const testCodec = plainCodec(900_000);

type Need = Exclude<keyof Capabilities, "durability">;
type Proof = (queue: QueueUnderTest, owner: Broker) => Promise<void>;

/** States one fact; `needs`: capabilities without which it says nothing. */
export type Fact = (name: string, proof: Proof, needs?: readonly Need[]) => void;

/** Each fact gets a queue of its own and a first owner on it. */
export function factsOn(harness: BrokerHarness): Fact {
  return (name, proof, needs = []) => {
    test(name, { timeout: 30_000 }, async ({ skip }) => {
      const queue = await harness.setUp();
      try {
        const owner = await queue.open();
        const lacking = needs.find((need) => !owner.capabilities[need]);
        if (lacking !== undefined) skip(`${harness.name} declares no ${lacking}`);
        await proof(queue, owner);
      } finally {
        await queue.tearDown();
      }
    });
  };
}

/** A task that is told from others by its one argument. */
export const named = (name: string, wishes: Partial<Draft> = {}): Draft => ({
  method: "note",
  args: [name],
  ...wishes,
});

/** A full second, so that a broker that keeps time in seconds means the same one. */
export const inSeconds = (queue: QueueUnderTest, seconds: number): number =>
  (Math.ceil(queue.now() / 1_000) + seconds) * 1_000;

/** Publishes and expects each to be kept; answers the ids. */
export async function keep(owner: Broker, ...drafts: readonly Draft[]): Promise<string[]> {
  const answers = await owner.publish(drafts);
  expect(answers.map((answer) => answer.kind)).toEqual(drafts.map(() => "kept"));
  return answers.map((answer) => (answer.kind === "kept" ? answer.id : ""));
}

/** Publishes one and expects it to be kept; answers its id. */
export async function keepOne(owner: Broker, draft: Draft): Promise<string> {
  const [id] = await keep(owner, draft);
  return id ?? "";
}

/** Up to `limit` tasks. */
export async function take(owner: Broker, limit: number = MAX_BATCH, atOnce = 1): Promise<readonly Claim[]> {
  const { claims, idle } = await owner.claim({ limit, atOnce });
  expect(claims.length).toBeLessThanOrEqual(limit);
  expect(idle === undefined).toBe(claims.length > 0);
  return claims;
}

/** The one task there is to claim. */
export async function takeOne(owner: Broker): Promise<Claim> {
  const [claim] = await take(owner, 1);
  if (claim === undefined) throw new Error("nothing could be claimed");
  return claim;
}

/** Exactly `count` tasks, by as many claims as it takes; nothing is settled. */
export async function takeCount(owner: Broker, count: number, atOnce = 1): Promise<readonly Claim[]> {
  const held: Claim[] = [];
  for (let rounds = 0; held.length < count && rounds < count; rounds++) {
    held.push(...(await take(owner, count - held.length, atOnce)));
  }
  expect(held).toHaveLength(count);
  return held;
}

/** Why nothing can be claimed now. */
export async function idleOf(owner: Broker): Promise<Idle | undefined> {
  const { claims, idle } = await owner.claim({ limit: 1, atOnce: 1 });
  expect(claims).toEqual([]);
  return idle;
}

/** Starts a claim and expects that it may run. */
export async function start(owner: Broker, claim: Claim, last = false): Promise<void> {
  expect(await owner.start(claim, { last })).toBe("started");
}

/** Starts and settles a claim, and expects both to count. */
export async function finish(
  owner: Broker,
  claim: Claim,
  outcome: Outcome = { kind: "done" },
): Promise<void> {
  await start(owner, claim);
  expect(await owner.settle([{ claim, outcome }])).toEqual(["settled"]);
}

/** Claims one task and makes it a dead letter. */
export async function buryNext(owner: Broker, reason = "broken for good"): Promise<string> {
  const claim = await takeOne(owner);
  await finish(owner, claim, { kind: "dead", reason });
  return claim.task.id;
}

/** One claim as `drain` met it. */
export interface Met {
  readonly name: unknown;
  readonly attempt: number;
  readonly alone: boolean;
  /** How many tasks came with the same claim, itself included. */
  readonly together: number;
}

const MAX_ROUNDS = 5_000;

/** Claims, starts and finishes until the broker is idle. */
export async function drain(owner: Broker, limit: number = MAX_BATCH): Promise<readonly Met[]> {
  const met: Met[] = [];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const claims = await take(owner, limit);
    if (claims.length === 0) return met;
    for (const claim of claims) {
      const { attempt, alone, task } = claim;
      met.push({ name: task.args[0], attempt, alone, together: claims.length });
      await start(owner, claim);
    }
    const settled = await owner.settle(claims.map((claim) => ({ claim, outcome: { kind: "done" } })));
    expect(new Set(settled)).toEqual(new Set(["settled"]));
  }
  throw new Error("the queue never became idle");
}

/** What tells the tasks apart, in the order given. */
export const names = (claims: readonly Claim[]): unknown[] => claims.map((claim) => claim.task.args[0]);

/** `count` names: `a0`, `a1`, ... */
export const series = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index)}`);

/** Whether it settles within `ms` of real time. */
export async function settlesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, ms);
  });
  const settled = await Promise.race([promise.then(() => true as const), late]);
  clearTimeout(timer);
  return settled;
}
