import { expect, test } from "vitest";
import { listTasks, readCursor, cursorText } from "../../../src/cli/listing.ts";
import type { Choice } from "../../../src/cli/queues.ts";
import { locate } from "../../../src/cli/targets.ts";
import { configOf } from "../../../src/config/load.ts";
import { MemqError } from "../../../src/errors.ts";
import { Memq } from "../../../src/memq.ts";
import type { Broker } from "../../../src/ports/broker.ts";
import { memoryBroker } from "../../../src/testing.ts";

const config = configOf({ queue: { push: {}, mail: {} } }, { cwd: "/srv", env: {} });

/** A configuration whose queues have these brokers; one that is not there cannot be reached. */
function choiceOf(brokers: Readonly<Record<string, Broker>>): Choice {
  const memq = new Memq(config);
  memq.broker = (name = "default") => {
    const broker = brokers[name];
    if (broker !== undefined) return Promise.resolve(broker);
    return Promise.reject(new MemqError("BROKER_UNREACHABLE", `${name} is away`));
  };
  return { memq, queues: config.queues, exit: 0, faultCount: 0 };
}

const withoutList = (broker: Broker): Broker =>
  new Proxy(broker, {
    get: (target, name) => {
      if (name === "capabilities") return { ...target.capabilities, list: false };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });

async function brokerWith(name: string, ...args: string[]): Promise<Broker> {
  const broker = memoryBroker({ name });
  await broker.publish(args.map((arg) => ({ method: "greet", args: [arg] })));
  return broker;
}

test("a queue that cannot list, and one that is away, are named; the third is listed", async () => {
  const choice = choiceOf({
    default: withoutList(await brokerWith("default", "a")),
    mail: await brokerWith("mail", "b"),
  });
  const { tasks, next, failures } = await listTasks(choice, { state: "waiting", limit: 10 });
  expect(tasks.map(({ queue, record }) => [queue.name, record.task?.args])).toEqual([["mail", ["b"]]]);
  expect(failures.map(({ queue, error }) => [queue.name, error.code])).toEqual([
    ["default", "UNSUPPORTED"],
    ["push", "BROKER_UNREACHABLE"],
  ]);
  expect(next).toBeUndefined();
});

test("with nothing left of the limit the next queue that has a task is where to go on", async () => {
  const choice = choiceOf({
    default: await brokerWith("default", "a"),
    push: await brokerWith("push"),
    mail: await brokerWith("mail", "b"),
  });
  expect((await listTasks(choice, { state: "waiting", limit: 1 })).next).toEqual({ queue: "mail" });
});

test("a cursor is one word, there and back", () => {
  for (const cursor of [{ queue: "push" }, { queue: "push", after: "1,2@x" }]) {
    expect(readCursor(cursorText(cursor), config.queues)).toEqual(cursor);
  }
});

test("a task that the reachable queues do not have is not called missing", async () => {
  const choice = choiceOf({ default: await brokerWith("default"), mail: await brokerWith("mail") });
  await expect(locate(choice, { kind: "id", id: "x" })).rejects.toMatchObject({
    code: "BROKER_UNREACHABLE",
    message: `no task has the id "x" in queues default, mail; queue "push": push is away`,
  });
});

test("a task that a reachable queue has is found, whoever else is away", async () => {
  const mail = memoryBroker({ name: "mail" });
  const [kept] = await mail.publish([{ method: "greet", args: [] }]);
  if (kept?.kind !== "kept") throw new Error("it was not kept");
  const found = await locate(choiceOf({ mail }), { kind: "id", id: kept.id });
  expect(found).toMatchObject({ queue: { name: "mail" }, record: { id: kept.id, state: "waiting" } });
});
