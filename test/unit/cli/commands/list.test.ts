import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nextPage } from "../../../../src/cli/commands/list.ts";
import { main } from "../../../../src/cli/memq.ts";
import type { Memq } from "../../../../src/memq.ts";
import { makeFolder, type Folder } from "../fake-io.ts";

let folder: Folder;
let memq: Memq;
beforeEach(async () => {
  folder = makeFolder("[queue.push]\n[queue.mail]\n");
  memq = await folder.memq();
});
afterEach(() => folder.remove());

const list = (...words: string[]): ReturnType<Folder["say"]> => folder.say(main, ["list", ...words]);

interface Listed {
  readonly tasks: readonly { readonly queue: string; readonly args: readonly unknown[] }[];
  readonly next?: string;
}

const listed = async (...words: string[]): Promise<Listed> =>
  JSON.parse((await list(...words, "--json")).out) as Listed;

describe("memq list", () => {
  test("lists the waiting tasks of a queue, oldest first, and consumes nothing", async () => {
    const first = await memq.publish("greet", ["Ann"], { queue: "push" });
    const second = await memq.publish("greet", ["你好", 7, null], { queue: "push", class: "Other" });
    const { code, out, err } = await list("-q", "push");
    expect([code, err]).toEqual([0, ""]);
    const [headings, ...lines] = out.trimEnd().split("\n");
    expect(headings).toMatch(/^id +waits +attempts +task$/);
    expect(lines[0]).toMatch(new RegExp(`^${first} .* 0  Worker\\.greet\\("Ann"\\)$`));
    expect(lines[1]).toMatch(new RegExp(`^${second} .* 0  Other\\.greet\\("你好", 7, null\\)$`));
    expect((await list("-q", "push")).out).toContain(first);
  });

  test("of several queues every line names its queue", async () => {
    await memq.publish("greet", ["a"], { queue: "mail" });
    await memq.publish("greet", ["b"]);
    const { out } = await list();
    expect(out.split("\n").map((line) => line.split(/ +/)[1])).toEqual([
      "queue",
      "default",
      "mail",
      undefined,
    ]);
  });

  test("every state has its list", async () => {
    await memq.publish("greet", ["dead"]);
    await memq.publish("greet", ["running"]);
    await memq.publish("greet", ["later"], { delay: "1h" });
    const broker = await memq.broker();
    const { claims } = await broker.claim({ limit: 2, atOnce: 2 });
    for (const claim of claims) await broker.start(claim, { last: true });
    const [dead] = claims;
    if (dead === undefined) throw new Error("nothing was claimed");
    const reason = `Error: no way\n    at ${"x".repeat(200)}`;
    await broker.settle([{ claim: dead, outcome: { kind: "dead", reason } }]);
    expect((await list("delayed")).out).toMatch(/in 59m \d+s|in 1h.* Worker\.greet\("later"\)/);
    expect((await list("running")).out).toMatch(/:\d+ +1 +Worker\.greet\("running"\)/);
    const { out } = await list("dead", "-q", "default");
    expect(out).toMatch(/ ago +1 +Worker\.greet\("dead"\) +Error: no way at xxx.*…$/m);
    expect((await list("waiting")).err).toBe("No task is waiting.\n");
  });

  test("long arguments are cut, and what a terminal would act on is shown", async () => {
    await memq.publish("greet", ["\u001b[2J\u009b", "x".repeat(100_000)]);
    const { out } = await list();
    expect(out).not.toContain("\u001b");
    expect(out).toContain("\\u001b[2J\\u009b");
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThan(120);
  });

  test("an unknown state is refused with the one that was meant", async () => {
    expect((await list("dad")).err).toContain(`"dad" is no state of a task, did you mean "dead"?`);
    expect((await list("dad")).code).toBe(64);
    expect((await list("dead", "waiting")).code).toBe(64);
  });

  test("a limit is a whole number that fits into memory", async () => {
    expect((await list("--limit", "0")).code).toBe(64);
    expect((await list("--limit", "-5")).err).toContain(`--limit "-5"`);
    expect((await list("--limit", "10001")).err).toContain("go on with --after");
  });
});

describe("paging", () => {
  test("page by page every task of every queue is seen once", async () => {
    for (const queue of ["default", "push", "mail"]) {
      for (let i = 0; i < 3; i++) await memq.publish("greet", [`${queue}${String(i)}`], { queue });
    }
    const seen: unknown[] = [];
    let page = await listed("--limit", "2");
    for (let rounds = 0; rounds < 10; rounds++) {
      expect(page.tasks.length).toBeLessThanOrEqual(2);
      seen.push(...page.tasks.map(({ args }) => args[0]));
      if (page.next === undefined) break;
      page = await listed("--limit", "2", "--after", page.next);
    }
    const all = ["default", "push", "mail"].flatMap((queue) => [0, 1, 2].map((i) => `${queue}${String(i)}`));
    expect(seen).toEqual(all);
  });

  test("a page that ends with a queue's last task goes on with the next queue that has one", async () => {
    await memq.publish("greet", ["a"]);
    await memq.publish("greet", ["b"], { queue: "mail" });
    const first = await listed("--limit", "1");
    expect(first.next).toBe("mail@");
    const second = await listed("--limit", "1", "--after", "mail@");
    expect(second.tasks).toMatchObject([{ queue: "mail", args: ["b"] }]);
    expect(second.next).toBeUndefined();
  });

  test("a page longer than what a broker gives at once is made of several", async () => {
    await memq.publishMany(Array.from({ length: 1_500 }, (_, i) => ({ method: "greet", args: [i] })));
    const { tasks, next } = await listed("--limit", "1200");
    expect(tasks.map(({ args }) => args[0])).toEqual(Array.from({ length: 1_200 }, (_, i) => i));
    expect(next).toMatch(/^default@./);
  });

  test("the text form says how to go on", async () => {
    await memq.publish("greet", ["a"]);
    await memq.publish("greet", ["b"]);
    const { err } = await list("--limit", "1");
    const [, after = ""] = /^More: memq list waiting --limit 1 --after (\S+)$/m.exec(err) ?? [];
    expect((await list("--after", after)).out).toContain(`greet("b")`);
  });

  test("how to go on can be pasted into a shell, whatever a broker's places look like", () => {
    const given: Record<string, string> = { queue: "push", config: "my shop.ini" };
    expect(nextPage({ text: (name) => given[name] }, "dead", "push@l:a1:3|0")).toBe(
      "memq list dead --config 'my shop.ini' --queue push --after 'push@l:a1:3|0'",
    );
  });

  test("a cursor of another queue is refused", async () => {
    expect((await list("--after", "nonsense")).code).toBe(64);
    expect((await list("-q", "push", "--after", "mail@")).code).toBe(64);
  });
});

test("a queue that cannot be asked is named, the others are listed", async () => {
  await memq.publish("greet", ["a"]);
  folder.write("file", "");
  folder.write("config.ini", "[queue.bad]\nstore = ./file/store\n");
  const { code, out, err } = await list();
  expect(code).toBe(78);
  expect(err).toContain(`queue "bad"`);
  expect(out).toContain(`Worker.greet("a")`);
});
