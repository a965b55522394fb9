// A process of its own that owns tasks, for tests that kill, stop or race it. Started with jiti:
// node --import jiti/register owner-process.ts <folder> <deed> [number...]
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { openEmbeddedStore } from "../../../../src/adapters/embedded/store.ts";
import type { Claim } from "../../../../src/ports/broker.ts";
import { plainCodec } from "../../../../src/task/codec.ts";

const [folder = "", deed = "", ...numbers] = process.argv.slice(2);
const [first = 0, second = 0, third] = numbers.map(Number);
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const store = openEmbeddedStore({ folder });
const owner = store.queue("contract", { codec: plainCodec(900_000) });

/** Claims `count`, starts `started` of them for `timeoutMs`, and settles all when it is told to. */
async function hold(count: number, started: number, timeoutMs?: number): Promise<void> {
  const { claims } = await owner.claim({ limit: count, atOnce: count });
  const options = { last: false, ...(timeoutMs !== undefined && { timeoutMs }) };
  for (const claim of claims.slice(0, started)) await owner.start(claim, options);
  say(`holds ${String(claims.length)}`);
  await once(process.stdin, "data");
  const answers = await owner.settle(claims.map((claim) => ({ claim, outcome: { kind: "done" } })));
  say(answers.join(" "));
  process.exit();
}

/** Publishes `count` tasks, one at a time or in batches. */
async function publish(count: number, batch: number): Promise<void> {
  for (let from = 0; from < count; from += batch) {
    const drafts = Array.from({ length: batch }, (_, index) => ({
      method: "note",
      args: [`${String(process.pid)}:${String(from + index)}`],
    }));
    await owner.publish(drafts);
  }
  await store.close();
}

/** Writes down each task it runs, one every `pauseMs`, until the queue is empty. */
async function drain(limit: number, pauseMs: number): Promise<void> {
  for (;;) {
    const { claims, idle } = await owner.claim({ limit, atOnce: 1 });
    if (idle?.kind === "empty") break;
    for (const claim of claims) {
      await owner.start(claim, { last: false });
      appendFileSync(join(folder, "..", "ran"), `${JSON.stringify(claim.task.args[0])}\n`);
      say("runs");
      await setTimeout(pauseMs);
    }
    if (claims.length > 0) await settleAll(claims);
    else await owner.wait(Date.now() + 1_000, new AbortController().signal);
  }
  await store.close();
}

/** Runs what takes no time, `group` at a time before they are settled; "killer" ends this process, `attempts` times. */
async function rush(group: number, attempts: number): Promise<void> {
  for (;;) {
    const { claims, idle } = await owner.claim({ limit: group * 10, atOnce: 1 });
    if (idle !== undefined) break;
    for (let from = 0; from < claims.length; from += group) {
      const some = claims.slice(from, from + group);
      for (const claim of some) if (claim.attempt <= attempts) await runAt(claim);
      await settleAll(some);
    }
  }
  await store.close();
}

async function runAt(claim: Claim): Promise<void> {
  await owner.start(claim, { last: false });
  appendFileSync(join(folder, "..", "ran"), `${JSON.stringify(claim.task.args[0])}\n`);
  if (claim.task.args[0] === "killer") process.kill(process.pid, "SIGKILL");
}

async function settleAll(claims: readonly Claim[]): Promise<void> {
  await owner.settle(claims.map((claim) => ({ claim, outcome: { kind: "done" } })));
}

switch (deed) {
  case "hold":
    await hold(first, second, third);
    break;
  case "publish":
    await publish(first, second);
    break;
  case "rush":
    await rush(first, second);
    break;
  case "drain":
    await drain(first, second);
    break;
  default:
    throw new Error(`no such deed: ${deed}`);
}
