import { describe, expect, test } from "vitest";
import { configOf } from "../../../src/config/load.ts";
import type { ConfigInput } from "../../../src/config/object.ts";
import { errorFrom, read } from "./written.ts";

const options = { cwd: "/srv/shop", env: {} };
const faultsOf = (input: unknown): string[] =>
  errorFrom(() => configOf(input as ConfigInput, options))
    .message.split("\n")
    .slice(1)
    .map((line) => line.trim());

describe("an object", () => {
  test("is read like a file with the same keys", () => {
    const { queues, schedules, events } = configOf(
      {
        queuename: "main",
        timeout: "60s",
        queue: { push: { concurrency: 4 }, "eu.push": { retry: "none" } },
        schedule: { n: { cron: "@daily", call: "f" } },
        event: { e: { task: ["a", "b"] } },
      },
      { cwd: read("").folder, env: {} },
    );
    const file = read(
      "queuename=main\ntimeout=60s\n[queue.push]\nconcurrency=4\n[queue.eu.push]\nretry=none\n" +
        "[schedule.n]\ncron=@daily\ncall=f\n[event.e]\ntask[]=a\ntask[]=b",
    );
    expect({ queues, schedules, events }).toEqual({
      queues: file.queues,
      schedules: file.schedules,
      events: file.events,
    });
  });

  test("has no file, and its relative paths start in the folder", () => {
    const config = configOf({ store: "data" }, options);
    expect(config.file).toBeUndefined();
    expect(config.folder).toBe("/srv/shop");
    expect(config.queues[0].storePath).toBe("/srv/shop/data");
  });

  test("may be empty, and may hold undefined", () => {
    expect(configOf({ queueip: undefined }, options)).toEqual(configOf({}, options));
  });

  test("may hold numbers, booleans and lists", () => {
    const queue = configOf(
      {
        timeout: 1_500,
        retry: [1_000, "5m"],
        "max-size": 2_000,
        concurrency: 3,
        every: 60_000,
        cover: true,
        results: 5_000,
        bundle: 16,
        queueip: "h",
        queueport: 7,
      },
      options,
    ).queues[0];
    expect(queue).toMatchObject({
      timeoutMs: 1_500,
      retryMs: [1_000, 300_000],
      maxTaskBytes: 2_000,
      concurrency: 3,
      every: 60_000,
      cover: true,
      resultsMs: 5_000,
      bundle: 16,
      server: { host: "h", port: 7 },
    });
  });

  test("with an empty retry list has one attempt", () => {
    expect(configOf({ retry: [] }, options).queues[0].retryMs).toEqual([]);
  });

  test("is not changed by MEMQ_ variables, but its env:NAME are read", () => {
    const env = { MEMQ_TIMEOUT: "1s", KEY: "s" };
    const queue = configOf({ timeout: "2s", secret: "env:KEY" }, { ...options, env }).queues[0];
    expect(queue).toMatchObject({ timeoutMs: 2_000, secret: "s" });
  });

  test("takes values as they are: no quotes, no comments", () => {
    const env = {};
    const { events, schedules } = configOf(
      { schedule: { e: { cron: "@daily", call: 'f("x ; y")' } }, event: { e: { on: "a.#", task: "f" } } },
      { cwd: "/", env },
    );
    expect(events).toEqual([{ name: "e", on: "a.#", tasks: [{ method: "f" }] }]);
    expect(schedules).toMatchObject([{ call: 'f("x ; y")' }]);
  });
});

describe("an object's faults", () => {
  test("come all at once, each with its path", () => {
    const error = errorFrom(() =>
      configOf(
        {
          timeout: "60 sec",
          queue: { push: { timeuot: 1 } as object, "a b": {} },
          schedule: { n: { call: "f" } },
        },
        options,
      ),
    );
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message.split("\n")).toEqual([
      "4 problems in the configuration object:",
      `  queue: the name "a b" may hold only letters, digits, '.', ':', '_' and '-'`,
      '  timeout = "60 sec" is not a duration (try 60s or 5m)',
      '  unknown key "queue.push.timeuot" (did you mean "timeout"?)',
      "  [schedule.n] needs cron = …",
    ]);
  });

  test.each<[unknown, string]>([
    [{ timeout: NaN }, 'timeout = "NaNms" is not a duration (try 60s or 5m)'],
    [{ timeout: -5 }, 'timeout = "-5ms" is not a duration (try 60s or 5m)'],
    [{ timeout: Infinity }, 'timeout = "Infinityms" is not a duration (try 60s or 5m)'],
    [{ concurrency: 1.5 }, 'concurrency = "1.5" is not a whole number from 1 to 1000'],
    [{ timeout: "" }, "timeout has no value"],
    [{ timeout: null }, "timeout is null (write a text, a number or a list)"],
    [{ timeout: {} }, "timeout is a object (write a text, a number or a list)"],
    [{ retry: [{}] }, "retry is a object (write a text, a number or a list)"],
    [{ handlers: () => 1 }, "handlers is a function (write a text, a number or a list)"],
    [{ queue: [] }, "queue is not an object of names"],
    [{ queue: { push: 1 } }, 'queue: the name "push" does not lead to an object'],
    [
      { queue: { push: { queuename: "x" } } },
      "queuename stands only above all sections; this one names its queue in its brackets",
    ],
    [{ maxSize: "1KB" }, 'unknown key "maxSize" (did you mean "max-size"?)'],
    [
      { secret: "hunter2" },
      "secret must not stand here itself: write secret = env:NAME, and set that variable",
    ],
    [JSON.parse('{"__proto__": "x"}'), 'unknown key "__proto__"'],
    [JSON.parse('{"queue": {"__proto__": {}}}'), 'queue: the name "__proto__" is reserved'],
    [null, "the configuration is not an object"],
    ["config.ini", "the configuration is not an object"],
    [[], "the configuration is not an object"],
  ])("%j says what is wrong", (input, says) => {
    expect(faultsOf(input)).toEqual([says]);
  });
});
