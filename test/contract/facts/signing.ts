import { expect } from "vitest";
import { hmacSigner } from "../../../src/adapters/hmac/signer.ts";
import type { Broker } from "../../../src/ports/broker.ts";
import type { Codec } from "../../../src/task/codec.ts";
import { signedCodec } from "../../../src/task/signature.ts";
import type { QueueUnderTest } from "../broker-contract.ts";
import { drain, inSeconds, keep, keepOne, named, series, take, takeOne } from "./ground.ts";
import type { Fact } from "./ground.ts";

const SECRET = "correct horse battery staple";

const codecOf = (queue: string, secret = SECRET): Codec => signedCodec(hmacSigner(secret), queue, 900_000);

/** An owner that has the secret, beside the one that has not. */
const openSigned = (queue: QueueUnderTest, other: Broker): Promise<Broker> =>
  queue.open({ codec: codecOf(other.queue) });

const FORGED = expect.stringContaining("TASK_FORGED") as string;

export function signingFacts(fact: Fact): void {
  fact(
    "signed tasks are run by whoever has the secret, however they were published",
    async (queue, owner) => {
      const signed = await openSigned(queue, owner);
      await keep(signed, ...series("many", 5).map((name) => named(name)));
      await keepOne(signed, named("alone"));
      const ran = await drain(await openSigned(queue, owner));
      expect(ran.map(({ name }) => name)).toEqual([...series("many", 5), "alone"]);
    },
  );

  fact(
    "signed tasks with a key or a delay are found and run",
    async (queue, owner) => {
      const signed = await openSigned(queue, owner);
      const id = await keepOne(signed, named("keyed", { key: "order:42", dueAt: inSeconds(queue, 2) }));
      expect(await signed.findKey("order:42")).toMatchObject({ id, task: { args: ["keyed"] } });
      await queue.advance(4_000);
      expect((await drain(await openSigned(queue, owner))).map(({ name }) => name)).toEqual(["keyed"]);
    },
    ["keys", "delay"],
  );

  fact(
    "an unsigned task is buried as forged where there is a secret, and holds up nobody",
    async (queue, owner) => {
      const unsigned = await keepOne(owner, named("unsigned"));
      const signed = await openSigned(queue, owner);
      const good = await keepOne(signed, named("signed"));
      const { claimed, buried } = await claimAll(signed);
      expect(claimed).toEqual([good]);
      expect(buried).toEqual([{ kind: "buried", id: unsigned, reason: FORGED }]);
      const record = await signed.find(unsigned);
      expect(record).toMatchObject({ state: "dead", attempts: 0, error: FORGED });
      expect(record?.task).toBeUndefined();
    },
  );

  fact(
    "a signature is worth nothing for another task, queue or secret, or other bytes",
    async (queue, owner) => {
      const signed = await openSigned(queue, owner);
      const ids = await keep(signed, ...series("t", 4).map((name) => named(name)));
      const [a = "", b = "", c = "", d = ""] = ids;
      const codec = codecOf(owner.queue);
      const body = codec.encode(named("evil"));
      await queue.corrupt(a, codec.seal(b, body));
      await queue.corrupt(b, codecOf(`${owner.queue}2`).seal(b, body));
      await queue.corrupt(c, codecOf(owner.queue, "guessed").seal(c, body));
      await queue.corrupt(d, codec.seal(d, codec.encode(named("good"))).replace("good", "evil"));
      const { claimed, buried } = await claimAll(signed);
      expect(claimed).toEqual([]);
      expect(buried).toHaveLength(4);
      expect(buried).toEqual(
        expect.arrayContaining(ids.map((id) => ({ kind: "buried", id, reason: FORGED }))),
      );
    },
  );

  fact("a forged dead letter that is put back is buried again", async (queue, owner) => {
    const id = await keepOne(owner, named("unsigned"));
    const signed = await openSigned(queue, owner);
    await claimAll(signed);
    expect(await signed.putBack([id])).toBe(1);
    const { claimed, buried } = await claimAll(signed);
    expect([claimed, buried]).toEqual([[], [{ kind: "buried", id, reason: FORGED }]]);
    expect(await signed.find(id)).toMatchObject({ state: "dead", error: FORGED });
  });

  fact("a signed task is run where there is no secret", async (queue, owner) => {
    const id = await keepOne(await openSigned(queue, owner), named("signed"));
    expect((await takeOne(owner)).task).toMatchObject({ id, args: ["signed"] });
  });

  fact("what makes a waiting text no task is shown with it", async (queue, owner) => {
    const id = await keepOne(owner, named("unsigned"));
    const record = await (await openSigned(queue, owner)).find(id);
    expect(record).toMatchObject({ state: "waiting", fault: FORGED });
    expect(record?.task).toBeUndefined();
    expect((await owner.find(id))?.fault).toBeUndefined();
  });
}

/** Everything there is to claim, and what was buried on the way. */
async function claimAll(owner: Broker): Promise<{ claimed: string[]; buried: unknown[] }> {
  const claimed: string[] = [];
  const buried: unknown[] = [];
  for (let round = 0; round < 20; round++) {
    const { claims, findings } = await owner.claim({ limit: 100, atOnce: 1 });
    claimed.push(...claims.map(({ task }) => task.id));
    buried.push(...findings);
    if (claims.length === 0 && findings.length === 0) break;
  }
  expect(await take(owner)).toEqual([]);
  return { claimed, buried };
}
