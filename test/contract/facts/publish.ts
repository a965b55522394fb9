import { expect } from "vitest";
import { MAX_BATCH } from "../../../src/ports/broker.ts";
import type { Codec } from "../../../src/task/codec.ts";
import type { Draft, Json } from "../../../src/task/task.ts";
import {
  drain,
  inSeconds,
  keep,
  keepOne,
  named,
  names,
  series,
  takeCount,
  takeOne,
  testCodec,
} from "./ground.ts";
import type { Fact } from "./ground.ts";

const HARD_TEXTS: readonly string[] = [
  "",
  "推送给一百万个用户",
  "🎉👩‍👩‍👧 and a lone surrogate's neighbour",
  `it's "quoted" \\ and \`ticked\``,
  "two\nlines\r\nand a tab\t and a zero \u0000 in between",
  "'); DROP TABLE task; --",
  "x".repeat(500_000),
];

export function publishFacts(fact: Fact): void {
  fact("nothing to publish is answered with nothing", async (_queue, owner) => {
    expect(await owner.publish([])).toEqual([]);
  });

  fact(
    "each draft is answered, in order, and every kept task has an id of its own",
    async (_queue, owner) => {
      const ids = await keep(owner, ...series("a", 50).map((name) => named(name)));
      ids.push(...(await keep(owner, ...series("b", 50).map((name) => named(name)))));
      expect(new Set(ids).size).toBe(100);
      const claims = await takeCount(owner, 100);
      expect(claims.map((claim) => claim.task.id)).toEqual(ids);
    },
  );

  fact("ids of publishers that publish at the same time differ", async (queue, owner) => {
    const owners = [owner, await queue.open(), await queue.open()];
    const drafts = series("t", 40).map((name) => named(name));
    const ids = await Promise.all(owners.map((one) => keep(one, ...drafts)));
    expect(new Set(ids.flat()).size).toBe(120);
    expect(await owner.depth()).toMatchObject({ waiting: 120 });
  });

  fact("a draft that cannot be encoded is refused by itself, with code and reason", async (_queue, owner) => {
    const lossy = { method: "note", args: [undefined] } as unknown as Draft;
    const answers = await owner.publish([named("a"), lossy, named("x".repeat(900_001)), named("b")]);
    expect(answers).toEqual([
      { kind: "kept", id: expect.any(String) as string },
      { kind: "refused", code: "ARGS_INVALID", reason: expect.stringContaining("undefined") as string },
      { kind: "refused", code: "TASK_TOO_LARGE", reason: expect.stringContaining("900000") as string },
      { kind: "kept", id: expect.any(String) as string },
    ]);
    expect((await drain(owner)).map((met) => met.name)).toEqual(["a", "b"]);
  });

  fact("a task comes out exactly as it went in", async (queue, owner) => {
    const before = queue.now();
    const args: Json[] = [1.5, -7, true, null, ["a", [{}]], { deep: { er: "✓" } }];
    const draft: Draft = { class: "Shop", method: "close", args, retries: 2, timeoutMs: 5_000 };
    const id = await keepOne(owner, draft);
    const { task } = await takeOne(await queue.open());
    expect(task).toEqual({ id, bornAt: expect.any(Number) as number, ...draft });
    expect(task.bornAt).toBeGreaterThanOrEqual(before - 1_000);
    expect(task.bornAt).toBeLessThanOrEqual(queue.now() + 1_000);
  });

  fact("any text is carried without loss, a half megabyte included", async (_queue, owner) => {
    await keep(owner, ...HARD_TEXTS.map((text) => named(text)));
    expect(names(await takeCount(owner, HARD_TEXTS.length))).toEqual(HARD_TEXTS);
  });

  fact("a full batch is published, claimed and settled", async (_queue, owner) => {
    const batch = series("t", MAX_BATCH);
    await keep(owner, ...batch.map((name) => named(name)));
    const claims = await takeCount(owner, MAX_BATCH);
    expect(names(claims)).toEqual(batch);
    for (const claim of claims) await owner.start(claim, { last: false });
    const settled = await owner.settle(claims.map((claim) => ({ claim, outcome: { kind: "done" } })));
    expect(settled).toEqual(batch.map(() => "settled"));
    expect(await owner.depth()).toMatchObject({ waiting: 0, running: 0 });
  });

  fact("the text is kept as the codec seals it for this id", async (queue) => {
    const sealing: Codec = {
      ...testCodec,
      seal: (id, body) => `${id}|${body}`,
      open: (id, bornAt, text) =>
        text.startsWith(`${id}|`)
          ? testCodec.open(id, bornAt, text.slice(id.length + 1))
          : { kind: "broken", reason: "the seal is broken" },
    };
    const publisher = await queue.open({ codec: sealing });
    await keep(publisher, named("a"), named("b"));
    expect(names(await takeCount(await queue.open({ codec: sealing }), 2))).toEqual(["a", "b"]);
  });

  fact(
    "a delayed task is claimed when it falls due, and never early",
    async (queue, owner) => {
      await keepOne(owner, named("later", { dueAt: inSeconds(queue, 60) }));
      await keepOne(owner, named("now"));
      expect((await drain(owner)).map((met) => met.name)).toEqual(["now"]);
      await queue.advance(59_000);
      expect(await drain(owner)).toEqual([]);
      await queue.advance(2_000);
      expect(await drain(owner)).toMatchObject([{ name: "later", attempt: 1, alone: false }]);
    },
    ["delay"],
  );

  fact(
    "a long delay does not hold up a short one, nor one that is over",
    async (queue, owner) => {
      await keep(
        owner,
        named("in a day", { dueAt: inSeconds(queue, 86_400) }),
        named("in a minute", { dueAt: inSeconds(queue, 60) }),
        named("was due", { dueAt: queue.now() - 5_000 }),
      );
      expect((await drain(owner)).map((met) => met.name)).toEqual(["was due"]);
      await queue.advance(61_000);
      expect((await drain(owner)).map((met) => met.name)).toEqual(["in a minute"]);
      await queue.advance(86_400_000);
      expect((await drain(owner)).map((met) => met.name)).toEqual(["in a day"]);
    },
    ["delay"],
  );

  fact("a wish the broker cannot keep is refused, never ignored", async (queue, owner) => {
    const unable = { kind: "refused", code: "UNSUPPORTED" };
    const { delay, keys } = owner.capabilities;
    const answers = await owner.publish([
      named("later", { dueAt: inSeconds(queue, 60) }),
      named("once", { key: "k" }),
    ]);
    expect(answers).toMatchObject([delay ? { kind: "kept" } : unable, keys ? { kind: "kept" } : unable]);
  });
}
