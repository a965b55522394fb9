import { expect } from "vitest";
import type { Draft } from "../../../src/task/task.ts";
import { buryNext, drain, finish, inSeconds, keepOne, named, start, take, takeOne } from "./ground.ts";
import type { Fact } from "./ground.ts";

const keyed = (name: string, wishes: Partial<Draft> = {}): Draft =>
  named(name, { key: "order:42", ...wishes });
const replacing = (name: string, wishes: Partial<Draft> = {}): Draft =>
  keyed(name, { onDuplicate: "replace", ...wishes });

export function keyFacts(fact: Fact): void {
  fact(
    "a waiting, delayed or running task with the same key is answered with its id and state",
    async (queue, owner) => {
      const id = await keepOne(owner, keyed("first"));
      expect(await owner.publish([keyed("second")])).toEqual([
        { kind: "duplicate", of: id, state: "waiting" },
      ]);
      const claim = await takeOne(owner);
      expect(await owner.publish([keyed("second")])).toEqual([
        { kind: "duplicate", of: id, state: "running" },
      ]);
      await finish(owner, claim, { kind: "retry", at: inSeconds(queue, 60), error: "no luck" });
      expect(await owner.publish([keyed("second")])).toEqual([
        { kind: "duplicate", of: id, state: "delayed" },
      ]);
    },
    ["keys"],
  );

  fact(
    "another owner's key counts as well, whatever characters it has",
    async (queue, owner) => {
      const key = `订单 42\n"'\u0000%_${"k".repeat(300)}`;
      const id = await keepOne(owner, named("first", { key }));
      const other = await queue.open();
      expect(await other.publish([named("second", { key })])).toEqual([
        { kind: "duplicate", of: id, state: "waiting" },
      ]);
      expect(await other.findKey(key)).toMatchObject({ id, task: { key } });
      await keepOne(other, named("third", { key: `${key}k` }));
    },
    ["keys"],
  );

  fact(
    "a key is free again when its task is done, dead or cancelled",
    async (_queue, owner) => {
      await keepOne(owner, keyed("done"));
      await finish(owner, await takeOne(owner));
      await keepOne(owner, keyed("dead"));
      await buryNext(owner);
      const id = await keepOne(owner, keyed("cancelled"));
      if (owner.capabilities.list) {
        expect(await owner.cancel(id)).toBe("cancelled");
        await keepOne(owner, keyed("purged"));
        await owner.purge(["waiting"]);
        await keepOne(owner, keyed("last"));
      }
    },
    ["keys"],
  );

  fact(
    "a key is still taken when its task was released, or its owner was killed",
    async (queue, owner) => {
      const id = await keepOne(owner, keyed("a"));
      await owner.release([await takeOne(owner)]);
      expect(await owner.publish([keyed("b")])).toMatchObject([{ kind: "duplicate", of: id }]);
      await start(owner, await takeOne(owner));
      await queue.kill(owner);
      const other = await queue.open();
      expect(await other.publish([keyed("c")])).toMatchObject([{ kind: "duplicate", of: id }]);
      expect((await drain(other)).map((met) => met.name)).toEqual(["a"]);
      await keepOne(other, keyed("d"));
    },
    ["keys"],
  );

  fact(
    "of several drafts with one key in a batch the first is kept, or the last that replaces",
    async (_queue, owner) => {
      const answers = await owner.publish([
        named("a", { key: "keep" }),
        named("b", { key: "keep" }),
        named("c", { key: "replace" }),
        named("d", { key: "replace", onDuplicate: "replace" }),
        named("e"),
      ]);
      const ids = answers.map((answer) => (answer.kind === "kept" ? answer.id : ""));
      expect(answers).toEqual([
        { kind: "kept", id: ids[0] },
        { kind: "duplicate", of: ids[0], state: "waiting" },
        { kind: "kept", id: ids[2] },
        { kind: "kept", id: ids[3], replaced: ids[2] },
        { kind: "kept", id: ids[4] },
      ]);
      expect((await drain(owner)).map((met) => met.name)).toEqual(["a", "d", "e"]);
    },
    ["keys"],
  );

  fact(
    "replacing takes the place of a waiting task",
    async (_queue, owner) => {
      const old = await keepOne(owner, keyed("old"));
      const [answer] = await owner.publish([replacing("new")]);
      expect(answer).toMatchObject({ kind: "kept", replaced: old });
      expect(await owner.find(old)).toBeUndefined();
      expect(await owner.depth()).toMatchObject({ waiting: 1 });
      expect((await drain(owner)).map((met) => met.name)).toEqual(["new"]);
    },
    ["keys"],
  );

  fact(
    "replacing takes the place of a delayed task, and its time too",
    async (queue, owner) => {
      const old = await keepOne(owner, keyed("old", { dueAt: inSeconds(queue, 60) }));
      const dueAt = inSeconds(queue, 120);
      expect(await owner.publish([replacing("new", { dueAt })])).toMatchObject([
        { kind: "kept", replaced: old },
      ]);
      await queue.advance(70_000);
      expect(await take(owner)).toEqual([]);
      await queue.advance(51_000);
      expect((await drain(owner)).map((met) => met.name)).toEqual(["new"]);
    },
    ["keys", "delay"],
  );

  fact(
    "a running task is not replaced",
    async (_queue, owner) => {
      const id = await keepOne(owner, keyed("old"));
      const claim = await takeOne(owner);
      expect(await owner.publish([replacing("new")])).toEqual([
        { kind: "duplicate", of: id, state: "running" },
      ]);
      await finish(owner, claim);
      const [answer] = await owner.publish([replacing("new")]);
      expect(answer).toEqual({ kind: "kept", id: expect.any(String) as string });
    },
    ["keys"],
  );

  fact(
    "replacing where nothing is to be replaced just keeps",
    async (_queue, owner) => {
      const [answer] = await owner.publish([replacing("new")]);
      expect(answer).toEqual({ kind: "kept", id: expect.any(String) as string });
    },
    ["keys"],
  );

  fact(
    "a task is found by its key: the unfinished one, else its dead letter",
    async (_queue, owner) => {
      expect(await owner.findKey("order:42")).toBeUndefined();
      const first = await keepOne(owner, keyed("first"));
      expect(await owner.findKey("order:42")).toMatchObject({ id: first, state: "waiting" });
      await buryNext(owner);
      expect(await owner.findKey("order:42")).toMatchObject({ id: first, state: "dead" });
      const second = await keepOne(owner, keyed("second"));
      expect(await owner.findKey("order:42")).toMatchObject({ id: second, state: "waiting" });
      await finish(owner, await takeOne(owner));
      expect(await owner.findKey("order:42")).toMatchObject({ id: first, state: "dead" });
      expect(await owner.findKey("order:4")).toBeUndefined();
    },
    ["keys"],
  );

  fact(
    "a dead letter that is put back has its key again",
    async (_queue, owner) => {
      const id = await keepOne(owner, keyed("a"));
      await buryNext(owner);
      expect(await owner.putBack([id])).toBe(1);
      expect(await owner.publish([keyed("b")])).toEqual([{ kind: "duplicate", of: id, state: "waiting" }]);
    },
    ["keys"],
  );

  fact(
    "a dead letter whose key another task has by now is not put back",
    async (_queue, owner) => {
      const dead = await keepOne(owner, keyed("dead"));
      await buryNext(owner);
      await keepOne(owner, keyed("living"));
      expect(await owner.putBack([dead])).toBe(0);
      expect(await owner.putBack("all")).toBe(0);
      expect(await owner.find(dead)).toMatchObject({ state: "dead" });
      expect((await drain(owner)).map((met) => met.name)).toEqual(["living"]);
      expect(await owner.putBack("all")).toBe(1);
      expect((await drain(owner)).map((met) => met.name)).toEqual(["dead"]);
    },
    ["keys"],
  );

  fact(
    "removing a dead letter does not free the key that another task has by now",
    async (_queue, owner) => {
      const dead = await keepOne(owner, keyed("dead"));
      await buryNext(owner);
      const id = await keepOne(owner, keyed("living"));
      expect(await owner.cancel(dead)).toBe("cancelled");
      expect(await owner.publish([keyed("b")])).toEqual([{ kind: "duplicate", of: id, state: "waiting" }]);
      expect(await owner.findKey("order:42")).toMatchObject({ id });
    },
    ["keys", "list"],
  );

  fact(
    "of two dead letters with one key only one is put back",
    async (_queue, owner) => {
      for (const name of ["a", "b"]) {
        await keepOne(owner, keyed(name));
        await buryNext(owner);
      }
      expect(await owner.putBack("all")).toBe(1);
      expect(await owner.depth()).toMatchObject({ waiting: 1, dead: 1 });
    },
    ["keys"],
  );
}
