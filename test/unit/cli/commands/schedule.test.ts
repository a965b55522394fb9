import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { main } from "../../../../src/cli/memq.ts";
import { fireDue } from "../../../../src/schedule/fire.ts";
import { makeFolder, type Folder } from "../fake-io.ts";

const CONFIG = `
[queue.mail]
[schedule.nightly-report]
cron     = 30 1 * * *
timezone = Europe/Berlin
call     = greet "last week"
[schedule.often]
cron  = */10 * * * *
call  = greet('often', 2)
queue = mail
`;

let folder: Folder;
beforeEach(() => {
  folder = makeFolder(CONFIG);
});
afterEach(() => folder.remove());

const memq = (...argv: string[]): ReturnType<Folder["say"]> => folder.say(main, ["schedule", ...argv]);
const rowOf = (out: string, name: string): string[] =>
  (out.split("\n").find((line) => line.startsWith(`${name} `)) ?? "").split(/ {2,}/);

/** As a run would at that moment. */
async function fireAt(...moment: [number, number, number, number, number]): Promise<void> {
  await fireDue(await folder.memq(), Date.UTC(...moment));
}

describe("memq schedule list", () => {
  test("shows each schedule in words, with its last and its next time", async () => {
    await fireAt(2026, 0, 15, 0, 30);
    const { code, out, err } = await memq("list");
    expect([code, err]).toEqual([0, ""]);
    expect(out.split("\n")[0]).toMatch(/^schedule +fires +queue +last fired +next +task$/);
    const report = rowOf(out, "nightly-report");
    expect(report.slice(1, 4)).toEqual([
      "every day at 01:30 (Europe/Berlin)",
      "default",
      "2026-01-15 01:30:00 +01:00",
    ]);
    expect(report[4]).toMatch(/^\d{4}-\d\d-\d\d 01:30:00 \+0[12]:00$/);
    expect(report[5]).toBe(`greet "last week"`);
    expect(rowOf(out, "often").slice(1, 3)).toEqual(["every 10 minutes", "mail"]);
    expect((await memq("list", "--queue", "mail")).out).not.toContain("nightly");
  });

  test("--json gives times as ISO 8601", async () => {
    await fireAt(2026, 0, 15, 0, 30);
    const { schedules } = JSON.parse((await memq("list", "--json")).out) as { schedules: object[] };
    expect(schedules[0]).toEqual({
      schedule: "nightly-report",
      cron: "30 1 * * *",
      timezone: "Europe/Berlin",
      words: "every day at 01:30 (Europe/Berlin)",
      queue: "default",
      call: `greet "last week"`,
      catchUp: "one",
      paused: false,
      lastFiredFor: "2026-01-15T00:30:00.000Z",
      lastFiredAt: "2026-01-15T00:30:00.000Z",
      lastId: expect.any(String) as string,
      nextAt: expect.stringMatching(/:30:00.000Z$/) as string,
    });
  });

  test("says so where there are none", async () => {
    folder.write("config.ini", "");
    expect(await memq("list")).toMatchObject({
      code: 0,
      out: "",
      err: "The configuration has no schedules.\n",
    });
    expect(JSON.parse((await memq("list", "--json")).out)).toEqual({ schedules: [] });
  });

  test("names a schedule whose broker cannot be asked, and shows its times all the same", async () => {
    folder.write("file", "");
    folder.write("config.ini", CONFIG.replace("[queue.mail]", "[queue.mail]\nstore = ./file/store"));
    const { code, out, err } = await memq("list");
    expect(code).toBe(78);
    expect(err).toMatch(/^memq schedule: schedule "often": .*STORE_UNUSABLE/);
    expect(rowOf(out, "often")[3]).toBe("?");
    expect(rowOf(out, "nightly-report")[3]).toBe("-");
  });
});

describe("memq schedule next", () => {
  test("shows the next times of one schedule, or of all together", async () => {
    const { code, out } = await memq("next", "nightly-report", "--limit", "3");
    expect(code).toBe(0);
    const lines = out.trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toMatch(/^\d{4}-\d\d-\d\d 01:30:00 \+0[12]:00 +in /);
    const { out: all } = await memq("next", "--json");
    const { next } = JSON.parse(all) as { next: { schedule: string; at: string }[] };
    expect(next).toHaveLength(5);
    expect(next.filter(({ schedule }) => schedule === "often").length).toBeGreaterThanOrEqual(4);
    expect(next.map(({ at }) => at)).toEqual(next.map(({ at }) => at).sort());
  });
});

describe("memq schedule run", () => {
  test("publishes the task now, and leaves the times as they are", async () => {
    const { code, out, err } = await memq("run", "often");
    expect([code, err]).toEqual([0, ""]);
    const broker = await (await folder.memq()).broker("mail");
    const record = await broker.find(out.trim());
    expect(record).toMatchObject({ state: "waiting", task: { method: "greet", args: ["often", 2] } });
    expect(JSON.parse((await memq("run", "often", "--json")).out)).toEqual({
      id: expect.any(String) as string,
    });
    expect(rowOf((await memq("list")).out, "often")[3]).toBe("-");
  });
});

describe("memq schedule pause and resume", () => {
  test("hold a schedule back for every run, and let it go on without what fell into the pause", async () => {
    expect(await memq("pause", "often")).toMatchObject({
      code: 0,
      err: "Schedule often is paused until it is resumed.\n",
    });
    expect(rowOf((await memq("list")).out, "often")[4]).toBe("paused");
    const opened = await folder.memq();
    expect(await fireDue(opened, Date.now() + 3_600_000, { queues: ["mail"] })).toEqual([]);
    expect(JSON.parse((await memq("resume", "often", "--json")).out)).toEqual({
      schedule: "often",
      paused: false,
    });
    const [firing] = await fireDue(opened, Date.now() + 3_600_000, { queues: ["mail"] });
    expect(firing).toMatchObject({ kind: "fired", schedule: "often" });
    expect(await (await opened.broker("mail")).depth()).toMatchObject({ waiting: 1 });
  });
});

test.each([
  [[], "say what to do: list, next, run, pause, resume"],
  [["lsit"], `did you mean "list"?`],
  [["list", "often"], `"often" is one word too many`],
  [["next", "often", "more"], `"more" is one word too many`],
  [["pause"], "pause which schedule?"],
  [["pause", "oftn"], `has no schedule "oftn", did you mean "often"?`],
  [["run", "zzz"], "it has nightly-report, often"],
  [["list", "--limit", "3"], "list does not take --limit"],
  [["next", "--limit", "0"], "--limit"],
])("memq schedule %j is refused", async (argv, why) => {
  const { code, err } = await memq(...argv);
  expect(code).toBe(64);
  expect(err).toContain(why);
});

test("a call that cannot be read, a time zone and a time that are none are faults with their lines", async () => {
  folder.write("config.ini", "[schedule.a]\ncron = 0 25 * * *\ncall = it's\ntimezone = Mars/Base\n");
  const { code, err } = await memq("list");
  expect(code).toBe(78);
  expect(err).toContain(`line 2: cron = "0 25 * * *" is not a cron expression: its hour is "25"`);
  expect(err).toContain(`line 3: call = "it's" is not a task: "it's" has a quote that does not end`);
  expect(err).toContain(`line 4: timezone = "Mars/Base" is not a time zone`);
});

test("memq check finds a schedule whose method the handlers do not have", async () => {
  expect(await folder.say(main, ["check"])).toMatchObject({ code: 0 });
  folder.write("config.ini", CONFIG.replace("greet(", "gret("));
  const { code, err } = await folder.say(main, ["check"]);
  expect(code).toBe(78);
  expect(err).toMatch(
    /^memq check: queue "mail": schedule "often": class "Worker" has no method "gret", did you mean "greet"\?/m,
  );
});
