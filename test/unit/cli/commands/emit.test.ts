import { afterEach, beforeEach, expect, test } from "vitest";
import { main } from "../../../../src/cli/memq.ts";
import { makeFolder, type Folder } from "../fake-io.ts";

const CONFIG = `
[queue.mail]
[event.order_create]
task[] = greet
task[] = saveToLocal @mail after 20m
[event.any]
on = "order.#"
task[] = greet @mail
`;

let folder: Folder;
beforeEach(() => {
  folder = makeFolder(CONFIG);
});
afterEach(() => folder.remove());

const emit = (...words: string[]): ReturnType<Folder["say"]> => folder.say(main, ["emit", ...words]);

test("emit prints the ids of the tasks, in their order", async () => {
  const { code, out, err } = await emit("order_create", "order_id=FB138", "note=a=b");
  expect([code, err]).toEqual([0, ""]);
  const memq = await folder.memq();
  const [first = "", second = ""] = out.trim().split("\n");
  expect((await (await memq.broker()).find(first))?.task).toMatchObject({
    method: "greet",
    args: [{ order_id: "FB138", note: "a=b" }, "order_create"],
  });
  expect(await (await memq.broker("mail")).find(second)).toMatchObject({ state: "delayed" });
});

test("--json tells programs what became of the event, and --json-args takes values of JSON", async () => {
  const { out } = await emit("order.7.paid", "sum=19.5", "lines=[1]", "--json-args", "--key", "7", "--json");
  const emission = JSON.parse(out) as { tasks: { id: string }[] };
  expect(emission).toMatchObject({
    event: "order.7.paid",
    key: "7",
    tasks: [{ queue: "mail", method: "greet" }],
  });
  const memq = await folder.memq();
  const task = await (await memq.broker("mail")).find(emission.tasks[0]?.id ?? "");
  expect(task?.task?.args).toEqual([{ sum: 19.5, lines: [1] }, "order.7.paid"]);
});

test("--dry-run shows what would be published", async () => {
  expect((await emit("order_create", "a=1", "--dry-run")).out).toBe(
    `greet: {"a":"1"}, "order_create"\nsaveToLocal @mail after 20m: {"a":"1"}, "order_create"\n`,
  );
  expect((await (await (await folder.memq()).broker()).depth()).waiting).toBe(0);
});

test("--list shows who listens", async () => {
  expect((await emit("--list")).out).toBe(
    "order_create  greet\n              saveToLocal @mail after 20m\norder.#       greet @mail\n",
  );
  expect(JSON.parse((await emit("--list", "--json")).out)).toEqual([
    { on: "order_create", tasks: ["greet", "saveToLocal @mail after 20m"] },
    { on: "order.#", tasks: ["greet @mail"] },
  ]);
});

test.each([
  [
    ["order_craete"],
    65,
    'nobody listens to event "order_craete", did you mean "order_create"? [EVENT_UNHEARD]',
  ],
  [[], 64, "name the event"],
  [["order_create", "x"], 64, '"x" is not k=v'],
  [["order_create", "=x"], 64, '"=x" is not k=v'],
  [["order_create", "a=1", "a=2"], 64, "a stands there twice"],
  [["order_create", "a=x", "--json-args"], 65, "a is not JSON"],
  [["--list", "x"], 64, "--list takes no event"],
])("what is no event is said: %j", async (words, code, says) => {
  const said = await emit(...words);
  expect([said.code, said.out]).toEqual([code, ""]);
  expect(said.err).toContain(says);
});

test("somebody who cannot be heard keeps an event from being emitted, and other faults do not", async () => {
  folder.write("config.ini", `${CONFIG}\n[event.late]\non = order_create\ntask[] = greet after\n`);
  expect((await emit("order_create")).err).toContain("an after without a duration");
  folder.write("config.ini", `${CONFIG}\n[schedule.night]\ncron = no\n`);
  expect((await emit("order_create")).code).toBe(0);
  folder.write("config.ini", CONFIG.replace("[queue.mail]", "[queue.mail]\ntiemout = 5s"));
  expect((await emit("order_create")).err).toContain("tiemout");
});

test("check holds events against the handlers", async () => {
  folder.write("config.ini", `${CONFIG}task[] = gret\ntask[] = Mialer.send\n`);
  const { code, err } = await folder.say(main, ["check"]);
  expect(code).toBe(78);
  expect(err).toContain(
    `queue "default": event "any": class "Worker" has no method "gret", did you mean "greet"?`,
  );
  expect(err).toContain(`event "any": there is no handler class "Mialer"`);
});

test("a queue on the command line is refused: each task of an event says its own", async () => {
  const { code, err } = await emit("order_create", "-q", "mail");
  expect([code, err]).toEqual([64, expect.stringContaining("each task of an event says its own queue")]);
});
