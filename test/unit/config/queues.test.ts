import { describe, expect, test } from "vitest";
import { faultsIn, folder, inspect, queueIn, read } from "./written.ts";

describe("the article's file", () => {
  const article = "queuename = default\nqueueip   = 192.168.1.1\nqueueport = 22201\nclassname = Worker\n";

  test("is complete", () => {
    expect(read(article)).toEqual({
      file: `${folder}/config.ini`,
      folder,
      queues: [
        {
          name: "default",
          server: { host: "192.168.1.1", port: 22_201 },
          className: "Worker",
          storePath: `${folder}/memq-data`,
          retryMs: [10_000, 60_000, 600_000, 3_600_000],
          timeoutMs: 600_000,
          concurrency: 1,
          maxTaskBytes: 921_600,
          bundle: "auto",
          maxRuns: 4,
          cover: false,
          warn: {},
        },
      ],
      schedules: [],
      events: [],
    });
  });

  test("without its server keeps the tasks here", () => {
    expect(read("queuename = default\nclassname = Worker").queues[0].server).toBeUndefined();
  });
});

test("an empty file is the default queue", () => {
  expect(read("").queues.map(({ name }) => name)).toEqual(["default"]);
});

describe("a section", () => {
  const text = `
queuename = main
queueip = h
timeout = 10m
retry = 1s

[queue.mail]
classname = Mailer

[queue.eu.push]
timeout = 60s
retry = none
queueip = none

[queue.my:memq:test]
`;

  test("inherits the top level's keys and has its own", () => {
    const config = read(text);
    expect(config.queues.map(({ name }) => name)).toEqual(["main", "mail", "eu.push", "my:memq:test"]);
    expect(queueIn(config, "mail")).toEqual({ ...config.queues[0], name: "mail", className: "Mailer" });
    expect(queueIn(config, "my:memq:test")).toEqual({ ...config.queues[0], name: "my:memq:test" });
  });

  test("takes back with none what it would inherit", () => {
    const push = queueIn(read(text), "eu.push");
    expect(push).toMatchObject({ timeoutMs: 60_000, retryMs: [] });
    expect(push.server).toBeUndefined();
  });

  test("inherits a port, and not the server of another section", () => {
    const config = read("queueport = 1\n[queue.a]\nqueueip = ha\n[queue.b]\nqueueip = hb\nqueueport = 2");
    expect(config.queues.map(({ server }) => server)).toEqual([
      undefined,
      { host: "ha", port: 1 },
      { host: "hb", port: 2 },
    ]);
  });

  test("with the default queue's name holds what that queue does not hand on", () => {
    const config = read("timeout = 10m\n[queue.push]\n[queue.default]\ntimeout = 5m");
    expect(config.queues.map(({ name, timeoutMs }) => [name, timeoutMs])).toEqual([
      ["default", 300_000],
      ["push", 600_000],
    ]);
  });

  test("cannot name its queue a second time", () => {
    expect(faultsIn("[queue.a]\nqueuename = b")).toEqual([
      "line 2: queuename stands only above all sections; this one names its queue in its brackets",
    ]);
  });

  test("cannot be in the file twice", () => {
    expect(faultsIn("[queue.a]\n[queue.b]\n[queue.a]")).toEqual([
      "line 3: [queue.a] stands on line 1 already",
    ]);
  });
});

describe("a wrong section", () => {
  test("harms only its own queue", () => {
    const { config, error, faults } = inspect("timeout = 5s\n[queue.a]\ntimeout = x\n[queue.b]\nretry = 1s");
    expect(config?.queues.map(({ name }) => name)).toEqual(["default", "b"]);
    expect(faults.map(({ section }) => section)).toEqual(["queue.a"]);
    expect(error?.code).toBe("CONFIG_INVALID");
  });

  test.each([
    "[queue.a\ntimeout = 1s",
    "[quue.a]\ntimeout = 1s",
    "[queue.a]\ncover",
    "[queue.a]\n[queue.a]",
    "[queue.a b]",
  ])("leaves the other queues as they are: %j", (broken) => {
    const names = inspect(`[queue.z]\ntimeout = 7s\n${broken}`).config?.queues;
    expect(names?.map(({ name, timeoutMs }) => [name, timeoutMs])).toEqual([
      ["default", 600_000],
      ["z", 7_000],
    ]);
  });

  test("of a schedule or an event harms no queue", () => {
    const { config } = inspect("[schedule.s]\n[event.e]\n[event.f]\ntask[] = a\n[queue.q]");
    expect(config?.queues).toHaveLength(2);
    expect(config?.schedules).toEqual([]);
    expect(config?.events.map(({ name }) => name)).toEqual(["f"]);
  });

  test("of the default queue, and a wrong top level, leave nothing", () => {
    expect(inspect("[queue.default]\ntimeout = x\n[queue.b]").config).toBeUndefined();
    expect(inspect("timeout = x\n[queue.b]\ntimeout = 1s").config).toBeUndefined();
    expect(inspect("[queue.b]", { env: { MEMQ_TIMEOUT: "x" } }).config).toBeUndefined();
  });
});
