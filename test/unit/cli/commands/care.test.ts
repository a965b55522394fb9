import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { main } from "../../../../src/cli/memq.ts";
import type { Memq, PublishTo } from "../../../../src/memq.ts";
import { makeFolder, type Folder } from "../fake-io.ts";

let folder: Folder;
let memq: Memq;
beforeEach(async () => {
  folder = makeFolder("[queue.push]\n");
  memq = await folder.memq();
});
afterEach(() => folder.remove());

const run = (...words: string[]): ReturnType<Folder["say"]> => folder.say(main, words);
const publish = (options: PublishTo = {}): Promise<string> => memq.publish("greet", ["x"], options);

async function bury(options: PublishTo = {}): Promise<string> {
  const id = await publish(options);
  const broker = await memq.broker(options.queue);
  const { claims } = await broker.claim({ limit: 100, atOnce: 1 });
  await broker.settle(claims.map((claim) => ({ claim, outcome: { kind: "dead", reason: "no" } })));
  return id;
}

async function hold(options: PublishTo = {}): Promise<string> {
  const id = await publish(options);
  await (await memq.broker(options.queue)).claim({ limit: 1, atOnce: 1 });
  return id;
}

const stateOf = async (id: string, queue?: string): Promise<string | undefined> =>
  (await (await memq.broker(queue)).find(id))?.state;

describe("the last task of a bulk that something follows", () => {
  const bulk = async (): Promise<string> => {
    const items = [{ method: "greet", args: ["x"] }];
    const part = { name: "b", expected: undefined, place: () => "", then: { method: "after", args: [] } };
    const { outcomes } = await memq.publishPart(items, { ...part, isLast: true });
    const [outcome] = outcomes;
    return outcome?.kind === "kept" ? outcome.id : "";
  };
  const waiting = async (): Promise<(string | undefined)[]> =>
    (await (await memq.broker()).list("waiting", { limit: 10 })).tasks.map(({ task }) => task?.method);

  test("brings what follows when it is cancelled", async () => {
    expect((await run("cancel", await bulk())).code).toBe(0);
    expect(await waiting()).toEqual(["after"]);
  });

  test("brings what follows when it is purged", async () => {
    await bulk();
    expect((await run("purge", "waiting", "--queue", "default", "--yes")).code).toBe(0);
    expect(await waiting()).toEqual(["after"]);
  });
});

describe("memq retry", () => {
  test("puts dead letters back, wherever they are", async () => {
    const ids = [await bury(), await bury({ queue: "push" })];
    expect(await run("retry", ...ids)).toEqual({ code: 0, out: "", err: "2 dead letters put back.\n" });
    expect(await stateOf(ids[0] ?? "")).toBe("waiting");
    expect(await stateOf(ids[1] ?? "", "push")).toBe("waiting");
  });

  test("a task that is not dead stays where it is, the others are put back", async () => {
    const [waiting, dead] = [await publish({ queue: "push" }), await bury()];
    const { code, err } = await run("retry", waiting, dead, "nope");
    expect(code).toBe(65);
    expect(err).toContain(`task "${waiting}" is waiting, not dead: there is nothing to put back [NOT_DEAD]`);
    expect(err).toContain("memq why ID tells when this task will run");
    expect(err).toContain(`no task has the id "nope"`);
    expect(err).toContain("1 dead letter put back.");
  });

  test("finds a dead letter by its key", async () => {
    const id = await bury({ key: "k" });
    expect((await run("retry", "--key", "k")).code).toBe(0);
    expect(await stateOf(id)).toBe("waiting");
  });

  test("does not put back what another unfinished task has taken the key of", async () => {
    const dead = await bury({ key: "k" });
    await publish({ key: "k" });
    const { code, err } = await run("retry", dead);
    expect(code).toBe(65);
    expect(err).toMatch(
      /was not put back: its key belongs to an unfinished task .*\[DUPLICATE\]\n {2}Put it back when that task has ended/,
    );
    expect(await stateOf(dead)).toBe("dead");
  });

  test("--all is asked, with a count per queue", async () => {
    await bury();
    await bury({ queue: "push" });
    const no = await folder.say(main, ["retry", "--all"], { isTerminal: true, input: "n\n" });
    expect(no.code).toBe(0);
    expect(no.err).toContain("Put 2 dead letters (1 of queue default, 1 of queue push) back? [y/N]");
    expect(no.err).toContain("Nothing was done.");
    const yes = await folder.say(main, ["retry", "--all"], { isTerminal: true, input: "y\n" });
    expect(yes.err).toContain("2 dead letters put back.");
  });

  test("--all without a terminal needs --yes", async () => {
    const id = await bury();
    const { code, err } = await run("retry", "--all");
    expect(code).toBe(64);
    expect(err).toContain(
      `"Put 1 dead letter of queue default back?" cannot be asked without a terminal [USAGE]\n  Add --yes to say yes.\n`,
    );
    expect(await stateOf(id)).toBe("dead");
    expect(await run("retry", "--all", "--yes", "--json")).toEqual({
      code: 0,
      out: `{"putBack":1}\n`,
      err: "",
    });
  });

  test("--all of nothing asks nothing", async () => {
    expect(await run("retry", "--all")).toEqual({ code: 0, out: "", err: "0 dead letters put back.\n" });
  });

  test("without a name it is a misuse, and so are two kinds of names", async () => {
    expect((await run("retry")).code).toBe(64);
    expect((await run("retry", "x", "--all")).code).toBe(64);
    expect((await run("retry", "--key", "k", "--all")).code).toBe(64);
  });
});

describe("memq cancel", () => {
  test("removes waiting, delayed and dead tasks without asking", async () => {
    const ids = [await bury(), await publish(), await publish({ delay: "1h", queue: "push" })];
    expect(await run("cancel", ...ids)).toEqual({ code: 0, out: "", err: "3 tasks cancelled.\n" });
    for (const id of ids) expect((await run("show", id)).code).toBe(65);
  });

  test("a cancelled task's key is free again", async () => {
    await publish({ key: "order:42" });
    expect((await run("cancel", "--key", "order:42", "--json")).out).toBe(`{"cancelled":1}\n`);
    expect(await publish({ key: "order:42", onDuplicate: "error" })).toBeTruthy();
  });

  test("a running task is left alone: 75", async () => {
    const id = await hold();
    const { code, out, err } = await run("cancel", id);
    expect([code, out]).toEqual([75, ""]);
    expect(err).toMatch(new RegExp(`task "${id}" is running, held by .*: it cannot be cancelled now`));
    expect(await stateOf(id)).toBe("running");
  });

  test("a task that is not there exits with 65", async () => {
    expect((await run("cancel", "nope")).code).toBe(65);
    expect((await run("cancel", "--key", "nope")).code).toBe(65);
  });

  test("--all removes what waits and is delayed in one queue, once that is said", async () => {
    const dead = await bury({ queue: "push" });
    await publish({ queue: "push" });
    await publish({ queue: "push", delay: "1h" });
    expect((await run("cancel", "--all", "-q", "push")).code).toBe(64);
    const { code, err } = await run("cancel", "--all", "-q", "push", "--yes");
    expect([code, err]).toEqual([0, "2 tasks removed from queue push.\n"]);
    expect(await stateOf(dead, "push")).toBe("dead");
  });
});

describe("memq purge", () => {
  test("removes the states named, of the queue named, and says how many", async () => {
    const [dead, waiting] = [await bury(), await publish()];
    const { code, err } = await run("purge", "dead", "-q", "default", "--yes");
    expect([code, err]).toEqual([0, "1 task removed from queue default.\n"]);
    expect([await stateOf(dead), await stateOf(waiting)]).toEqual([undefined, "waiting"]);
    expect((await run("purge", "--all", "-q", "default", "--yes", "--json")).out).toBe(`{"removed":1}\n`);
  });

  test("counts, then asks", async () => {
    await publish();
    await publish({ delay: "1h" });
    const fake = { isTerminal: true, input: "\n" };
    const { code, err } = await folder.say(main, ["purge", "waiting", "delayed", "-q", "default"], fake);
    expect(code).toBe(0);
    expect(err).toContain("Remove 1 waiting task, 1 delayed task from queue default? [y/N]");
    expect(await (await memq.broker()).depth()).toMatchObject({ waiting: 1, delayed: 1 });
  });

  test("a closed terminal is a no", async () => {
    const id = await publish();
    const fake = { isTerminal: true, input: "" };
    expect((await folder.say(main, ["purge", "waiting", "-q", "default"], fake)).err).toContain(
      "Nothing was done.",
    );
    expect(await stateOf(id)).toBe("waiting");
  });

  test("of several queues the one that is meant has to be said", async () => {
    await bury();
    const { code, err } = await run("purge", "dead", "--yes");
    expect(code).toBe(64);
    expect(err).toContain("say with --queue which queue is meant (default, push)");
  });

  test("running tasks are never removed", async () => {
    const id = await hold();
    expect((await run("purge", "running", "-q", "default", "--yes")).err).toContain(
      "running tasks are never removed",
    );
    await run("purge", "--all", "-q", "default", "--yes");
    expect(await stateOf(id)).toBe("running");
  });

  test("without a state it is a misuse", async () => {
    expect((await run("purge")).code).toBe(64);
    expect((await run("purge", "ded")).err).toContain(`did you mean "dead"?`);
    expect((await run("purge", "dead", "--all")).code).toBe(64);
  });
});
