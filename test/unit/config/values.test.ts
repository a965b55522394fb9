import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { QueueConfig } from "../../../src/config/config.ts";
import { faultsIn, folder, read } from "./written.ts";

const cover = "every = 10m\ncover = ";
const night = "[schedule.n]\ncall = f\ncron = ";

// Line, member, and what is read from it.
test.each<[string, keyof QueueConfig, unknown]>([
  ["queuename = eu.push", "name", "eu.push"],
  ["queueip = cache", "server", { host: "cache", port: 11_211 }],
  ["queueip = cache.example.com", "server", { host: "cache.example.com", port: 11_211 }],
  ["queueip = 255.10.0.1\nqueueport = 1", "server", { host: "255.10.0.1", port: 1 }],
  ["queueip = my_cache-1\nqueueport = 65535", "server", { host: "my_cache-1", port: 65_535 }],
  ["queueip = none", "server", undefined],
  [
    "queueip = h\nusername = u\npassword = p",
    "server",
    { host: "h", port: 11_211, username: "u", password: "p" },
  ],
  ["classname = $Push_2", "className", "$Push_2"],
  ["classname = 工人", "className", "工人"],
  ["handlers = ./src", "handlers", join(folder, "src")],
  ["handlers = /srv/handlers", "handlers", "/srv/handlers"],
  ["handlers = none", "handlers", undefined],
  ["store = ../store", "storePath", join(folder, "..", "store")],
  ["retry = none", "retryMs", []],
  ["retry = 5s", "retryMs", [5_000]],
  ["retry = 0s,1m ,  1h30m", "retryMs", [0, 60_000, 5_400_000]],
  ["timeout = 1.5h", "timeoutMs", 5_400_000],
  ["timeout = 1ms", "timeoutMs", 1],
  ["concurrency = 1000", "concurrency", 1_000],
  ["max-size = 1MB", "maxTaskBytes", 1_048_576],
  ["max-size = 64MB", "maxTaskBytes", 67_108_864],
  ["bundle = auto", "bundle", "auto"],
  ["bundle = 1024", "bundle", 1_024],
  ["max-runs = 1", "maxRuns", 1],
  ["every = 10m", "every", 600_000],
  ["every = */10 * * * *", "every", "*/10 * * * *"],
  ["every = @hourly", "every", "@hourly"],
  ["every = none", "every", undefined],
  [`${cover}on`, "cover", true],
  [`${cover}off`, "cover", false],
  ["warn = 10000 waiting, 30m oldest", "warn", { waiting: 10_000, oldestMs: 1_800_000 }],
  ["warn = 30m oldest", "warn", { oldestMs: 1_800_000 }],
  ["warn = 1 waiting", "warn", { waiting: 1 }],
  ["warn = none", "warn", {}],
  ["log = ./memq.log", "log", join(folder, "memq.log")],
  ["ping = https://u:p@hc.example.com:8443/ping?x=1", "ping", "https://u:p@hc.example.com:8443/ping?x=1"],
  ['ping = "http://h/#x"', "ping", "http://h/#x"],
  ["results = off", "resultsMs", undefined],
  ["results = 1h", "resultsMs", 3_600_000],
  ["on-result = ./told.mjs", "onResult", join(folder, "told.mjs")],
])("%s is read", (text, member, value) => {
  expect(read(text).queues[0][member]).toEqual(value);
});

// Line, and what the message says after `line 1: `.
test.each([
  ["queuename = a b", `queuename = "a b" may hold only letters, digits, '.', ':', '_' and '-'`],
  ["queuename = ..", 'queuename = ".." is reserved'],
  ["queueip = 192.168.1.300", 'queueip = "192.168.1.300" is not an IPv4 address'],
  ["queueip = 10.0.1", 'queueip = "10.0.1" is not an IPv4 address'],
  ["queueip = 10.0.0.01", 'queueip = "10.0.0.01" is not an IPv4 address'],
  ["queueip = 1.2.3.4.5", 'queueip = "1.2.3.4.5" is not an IPv4 address'],
  ["queueip = 1.2.3.4.", 'queueip = "1.2.3.4." is not an IPv4 address'],
  ["queueip = ::1", 'queueip = "::1" looks like IPv6: memcached is reached by host name or IPv4 address'],
  ["queueip = [::1]", 'queueip = "[::1]" looks like IPv6: memcached is reached by host name or IPv4 address'],
  ["queueip = cache:11211", 'queueip = "cache:11211" holds a port: write it as queueport'],
  ["queueip = a, b", 'queueip = "a, b" names several hosts: a queue lives on one memcached'],
  [
    "queueip = /run/m.sock",
    'queueip = "/run/m.sock" is a path: memcached is reached by host name or IPv4 address',
  ],
  [
    "queueip = memcached://h",
    'queueip = "memcached://h" is a URL: write the host name alone, and the port as queueport',
  ],
  ["queueip = -h", 'queueip = "-h" is not a host name or IPv4 address'],
  ["queueip = a..b", 'queueip = "a..b" is not a host name or IPv4 address'],
  ["classname = 9Lives", 'classname = "9Lives" is not the name of a class'],
  ["classname = a.b", 'classname = "a.b" is not the name of a class'],
  [
    "store = ~/memq",
    'store = "~/memq" starts with ~ or $, which only a shell expands (write the whole path)',
  ],
  [
    "handlers = $HOME/h",
    'handlers = "$HOME/h" starts with ~ or $, which only a shell expands (write the whole path)',
  ],
  [
    "retry = 10s 1m",
    'retry = "10s 1m" is not a list of durations: look at "10s 1m" (try 10s, 1m, 10m or none)',
  ],
  [
    "retry = 10s, never",
    'retry = "10s, never" is not a list of durations: look at "never" (try 10s, 1m, 10m or none)',
  ],
  ["retry = 10s,", 'retry = "10s," is not a list of durations: look at "" (try 10s, 1m, 10m or none)'],
  ["timeout = 60 sec", 'timeout = "60 sec" is not a duration (try 60s or 5m)'],
  ["timeout = 60", 'timeout = "60" is not a duration (try 60s or 5m)'],
  ["timeout = 0s", 'timeout = "0s" is no time at all (try 60s or 5m)'],
  ["timeout = -5s", 'timeout = "-5s" is not a duration (try 60s or 5m)'],
  ["timeout = none", 'timeout = "none" is not a duration (try 60s or 5m)'],
  ["timeout = 200y", 'timeout = "200y" is not a duration (try 60s or 5m)'],
  ["concurrency = 0", 'concurrency = "0" is not a whole number from 1 to 1000'],
  ["concurrency = 1001", 'concurrency = "1001" is not a whole number from 1 to 1000'],
  ["concurrency = 1.5", 'concurrency = "1.5" is not a whole number from 1 to 1000'],
  ["concurrency = 1e2", 'concurrency = "1e2" is not a whole number from 1 to 1000'],
  ["concurrency = four", 'concurrency = "four" is not a whole number from 1 to 1000'],
  ["max-size = 900", 'max-size = "900" is not a size (try 900KB or 1MB)'],
  ["max-size = 0KB", 'max-size = "0KB" would refuse every task (try 900KB)'],
  ["max-size = 65MB", 'max-size = "65MB" is more than 64MB'],
  ["bundle = 0", 'bundle = "0" is neither auto nor a whole number from 1 to 1024'],
  ["bundle = 1025", 'bundle = "1025" is neither auto nor a whole number from 1 to 1024'],
  ["max-runs = 0", 'max-runs = "0" is not a whole number from 1 to 1000'],
  ["every = 10", 'every = "10" is neither a duration nor a cron expression (try 10m or */10 * * * *)'],
  ["every = 0m", 'every = "0m" is no time at all (try 10m)'],
  ["cover = yes", 'cover = "yes" is neither on nor off'],
  ["warn = 10000", 'warn = "10000" is not a limit such as 10000 waiting, 30m oldest'],
  ["warn = 0 waiting", 'warn = "0 waiting" is not a limit such as 10000 waiting, 30m oldest'],
  [
    "warn = 1 waiting, 2 waiting",
    'warn = "1 waiting, 2 waiting" is not a limit such as 10000 waiting, 30m oldest: one limit stands there twice',
  ],
  ["ping = ftp://h/", 'ping = "ftp://h/" is not an http or https URL'],
  ["ping = h/x", 'ping = "h/x" is not an http or https URL'],
  ["results = on", 'results = "on" is neither off nor a duration (try 1h)'],
])("%s is a fault that quotes it", (text, says) => {
  expect(faultsIn(text)).toEqual([`line 1: ${says}`]);
});

test("the port is a number from 1 to 65535", () => {
  for (const port of ["0", "65536", "-1", "11211x"]) {
    expect(faultsIn(`queueip = h\nqueueport = ${port}`)).toEqual([
      `line 2: queueport = "${port}" is not a whole number from 1 to 65535`,
    ]);
  }
});

test("a retry policy has at most 100 waits", () => {
  const waits = (count: number): string => Array.from({ length: count }, () => "1s").join(", ");
  expect(read(`retry = ${waits(100)}`).queues[0].retryMs).toHaveLength(100);
  expect(faultsIn(`retry = ${waits(101)}`)[0]).toMatch(/has more than 100 waits$/);
});

test("a long value is cut where it is quoted back, and shown on one line", () => {
  expect(faultsIn(`timeout = ${"x".repeat(5_000)}`)).toEqual([
    `line 1: timeout = "${"x".repeat(60)}…" is not a duration (try 60s or 5m)`,
  ]);
  expect(faultsIn('timeout = "1\\n2\\u202e"')).toEqual([
    String.raw`line 1: timeout = "1\n2\u202e" is not a duration (try 60s or 5m)`,
  ]);
});

describe("settings that are right one by one", () => {
  test("a user name needs a password, and a password a user name", () => {
    expect(faultsIn("queueip = h\nusername = u")).toEqual(["line 2: username needs a password beside it"]);
    expect(faultsIn("queueip = h\npassword = p")).toEqual(["line 2: password needs a username beside it"]);
  });

  test("a port without any server is a fault: the tasks would stay here", () => {
    const says = "line 1: queueport without a queueip: name the memcached, or remove the port";
    expect(faultsIn("queueport = 22201")).toEqual([says]);
    expect(faultsIn("queueport = 22201\n[queue.a]\n")).toEqual([says]);
    expect(faultsIn("queueport = 22201\n[queue.a]\nqueueip = h")).toEqual([]);
    expect(faultsIn("queueport = 22201\nqueueip = none")).toEqual([]);
  });

  test("what a section inherits is said once", () => {
    expect(faultsIn("queueip = h\nusername = u\n[queue.a]\n[queue.b]\n")).toHaveLength(1);
  });

  test("what is at fault already has no second fault", () => {
    expect(faultsIn("queueip = h\nusername = u\npassword = a;b")).toEqual([
      'line 3: password would be cut at the ";" (put the value in quotes)',
    ]);
    expect(faultsIn("cover = on\nevery = sometimes")).toHaveLength(1);
    expect(faultsIn("queueip = ::1\nqueueport = 1")).toHaveLength(1);
  });
});

describe("a schedule", () => {
  test("is read with its defaults", () => {
    const text = "queuename = main\n[schedule.n]\ncron = 30 1 * * *\ncall = report yesterday";
    expect(read(text).schedules).toEqual([
      { name: "n", cron: "30 1 * * *", call: "report yesterday", queue: "main", catchUp: "one" },
    ]);
  });

  test("is read with all it can have", () => {
    const text =
      "[queue.push]\n[schedule.n]\ncron=@daily\ncall=f\ntimezone=Europe/Berlin\nqueue=push\ncatch-up=all";
    expect(read(text).schedules).toEqual([
      { name: "n", cron: "@daily", call: "f", queue: "push", catchUp: "all", timezone: "Europe/Berlin" },
    ]);
  });

  test("needs cron and call", () => {
    expect(faultsIn("\n[schedule.n]\n")).toEqual([
      "line 2: [schedule.n] needs cron = …",
      "line 2: [schedule.n] needs call = …",
    ]);
  });

  test("does not ask for a key that is there and at fault", () => {
    expect(faultsIn("[schedule.n]\ncron = often\ncall = a;b")).toHaveLength(2);
  });

  test("names a queue that there is", () => {
    expect(faultsIn(`[queue.push]\n${night}@daily\nqueue = psuh`)).toEqual([
      'line 5: queue = "psuh" is not a queue of this configuration (did you mean "push"?)',
    ]);
    expect(faultsIn(`[queue.push]\ntimeout = x\n${night}@daily\nqueue = push`)).toHaveLength(1);
  });

  test.each(["Mars/Olympus", "+01:00", "Europe/"])("has no time zone %s", (zone) => {
    expect(faultsIn(`${night}@daily\ntimezone = ${zone}`)).toEqual([
      `line 4: timezone = "${zone}" is not a time zone (try Europe/Berlin or UTC)`,
    ]);
  });

  test("catches up with none, one or all", () => {
    expect(faultsIn(`${night}@daily\ncatch-up = two`)).toEqual([
      'line 4: catch-up = "two" is not one of none, one, all',
    ]);
  });
});

describe("an event", () => {
  test("is named after its section, and has its tasks in order", () => {
    expect(read("[event.order]\ntask[] = a @default\ntask[] = Mailer.b after 20m").events).toEqual([
      {
        name: "order",
        on: "order",
        tasks: [
          { method: "a", queue: "default" },
          { class: "Mailer", method: "b", delayMs: 20 * 60_000 },
        ],
      },
    ]);
  });

  test("may be a topic pattern in quotes", () => {
    expect(read('[event.x]\non = "*.#"\ntask[] = a').events[0]?.on).toBe("*.#");
  });

  test.each([
    ["closeOrder after", "has an after without a duration"],
    ["closeOrder after 20 m", 'has no use for "after"'],
    ["closeOrder after 20x", '"20x" is not a duration'],
    ["@default closeOrder", "begins with a method"],
    ["closeOrder @", "has an @ without a queue"],
    ["closeOrder after 20m @default", "names its queue right behind its method"],
    ["closeOrder(1)", "is a method alone"],
    ["closeOrder 42", 'has no use for "42"'],
    ["_hidden", "can never be called"],
    ["close", "can never be called"],
    ["A.b.c", "cannot be the name of a method"],
  ])("has a task that is none: %s", (text, says) => {
    const [fault = ""] = faultsIn(`[event.x]\ntask[] = fine\ntask[] = ${text}`);
    expect(fault).toContain(`line 3: task[] = "${text}" is not a task of an event: `);
    expect(fault).toContain(says);
  });

  test("names a queue that is there, each task with its line", () => {
    const text = "[queue.mail]\n[event.x]\ntask[] = a @mail\ntask[] = b @mial\ntask[] = c @default";
    expect(faultsIn(text)).toEqual([
      'line 4: task[] = "b @mial": "mial" is not a queue of this configuration (did you mean "@mail"?)',
    ]);
  });

  test.each(["order*", "a.b#", "*.x*"])("has no pattern of half words: on = %s", (on) => {
    expect(faultsIn(`[event.x]\non = "${on}"\ntask[] = a`).join()).toContain("* and # stand for whole words");
  });

  test("needs a task", () => {
    expect(faultsIn("[event.x]\non = order")).toEqual(["line 1: [event.x] needs task[] = …"]);
  });

  test("has its tasks in task[], not in task", () => {
    expect(faultsIn("[event.x]\ntask = a\ntask[] = b")).toEqual([
      'line 2: unknown key "task" (did you mean "task[]"?)',
    ]);
  });
});

describe("an unknown key", () => {
  test.each([
    ["queueprot = 1", 'unknown key "queueprot" (did you mean "queueport"?)'],
    ["Timeout = 1s", 'unknown key "Timeout" (did you mean "timeout"?)'],
    ["colour = red", 'unknown key "colour"'],
    ["cron = @daily", 'unknown key "cron": it belongs to [schedule.NAME]'],
    ["retry[] = 1s", 'unknown key "retry[]" (did you mean "retry"?)'],
    ["__proto__ = x", 'unknown key "__proto__"'],
    ["constructor = x", 'unknown key "constructor"'],
    ['"timeout" = 1s', 'unknown key "\\"timeout\\"" (did you mean "timeout"?)'],
  ])("is a fault: %s", (text, says) => {
    expect(faultsIn(text)).toEqual([`line 1: ${says}`]);
  });

  test("of another kind of section is told where it belongs", () => {
    expect(faultsIn("[schedule.n]\ncron = @daily\ncall = f\ntimeout = 5s")).toEqual([
      'line 4: unknown key "timeout": it belongs to [queue.NAME]',
    ]);
  });

  test("does not show its value", () => {
    expect(faultsIn("passwrod = hunter2").join()).not.toContain("hunter2");
  });
});
