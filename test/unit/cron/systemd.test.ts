import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { cronTimes, type CronTimes } from "../../../src/config/cadence.ts";
import { readCadence } from "../../../src/cron/cadence.ts";
import { nextTimes } from "../../../src/cron/next-times.ts";
import type { RunPlan } from "../../../src/cron/run-plan.ts";
import { workUnit, type WorkPlan } from "../../../src/cron/systemd-work.ts";
import { calendarsOf, systemdUnits } from "../../../src/cron/systemd.ts";

const reading = readCadence("*/10 * * * *");
if ("fault" in reading) throw new Error(reading.fault);
const plan: RunPlan = {
  configFile: "/srv/shop/push.ini",
  queue: "eu.push",
  cadence: reading.value,
  node: "/usr/bin/node",
  script: "/opt/memq/scripts/runjobs",
  user: "deploy",
  log: "/var/log/shop.log",
};

const timesOf = (cron: string): CronTimes => {
  const times = cronTimes(cron);
  if (times === undefined) throw new Error(`${cron} is none`);
  return times;
};

const analyze = (...words: string[]): ReturnType<typeof spawnSync> =>
  spawnSync("systemd-analyze", words, { encoding: "utf8", env: { ...process.env, TZ: "UTC", LC_ALL: "C" } });
const hasSystemd = analyze("--version").status === 0;
const MISSING = "there is no systemd-analyze on this machine";

test("a service runs one command, and a timer starts it", () => {
  const [service, timer] = systemdUnits(plan);
  expect(service.path).toBe("/etc/systemd/system/memq-shop-push-eu-push.service");
  expect(service.text.split("\n").slice(3)).toEqual([
    "[Service]",
    "Type=oneshot",
    "User=deploy",
    "WorkingDirectory=/srv/shop",
    `ExecStart="/usr/bin/node" "/opt/memq/scripts/runjobs" "--config" "push.ini" "eu.push"`,
    "StandardOutput=append:/var/log/shop.log",
    "StandardError=inherit",
    "",
  ]);
  expect(timer.path).toBe("/etc/systemd/system/memq-shop-push-eu-push.timer");
  expect(timer.text).toContain("\nOnCalendar=*-*-* *:00,10,20,30,40,50:00\n");
});

const work: WorkPlan = {
  configFile: "/srv/shop/push.ini",
  node: "/usr/bin/node",
  script: "/opt/memq/scripts/memq",
  user: "deploy",
  args: ["--processes=5", "--log=/var/log/50% $x.log"],
  queues: ["eu.push"],
};

test("a service keeps workers, loads new handlers on reload and lets them finish on stop", () => {
  const { path, text } = workUnit(work);
  expect(path).toBe("/etc/systemd/system/memq-work-shop-push-eu-push.service");
  expect(text.split("\n")).toEqual(
    expect.arrayContaining([
      "User=deploy",
      "WorkingDirectory=/srv/shop",
      `ExecStart="/usr/bin/node" "/opt/memq/scripts/memq" "work" "--config=push.ini" "--processes=5" "--log=/var/log/50%% $$x.log" "--" "eu.push"`,
      "ExecReload=/bin/kill -HUP $MAINPID",
      "KillMode=mixed",
      "Restart=always",
      "RestartPreventExitStatus=64 78",
    ]),
  );
  expect(() => workUnit({ ...work, configFile: "/srv/a\nb/config.ini" })).toThrow(/no line/);
});

test("percent signs, dollars, quotes and backslashes stand for themselves", () => {
  const [{ text }] = systemdUnits({ ...plan, script: `/a%h/$HOME "x" \\` });
  expect(text).toContain(`ExecStart="/usr/bin/node" "/a%%h/$$HOME \\"x\\" \\\\" "--config"`);
});

test("what no unit can name is refused", () => {
  for (const folder of ["/srv/a\nb", "/srv/a ", "/srv/a\\"]) {
    expect(() => systemdUnits({ ...plan, configFile: `${folder}/config.ini` })).toThrow(/no line|no unit/);
  }
});

describe("times", () => {
  test.each([
    ["* * * * *", ["*-*-* *:*:00"]],
    ["*/7 * * * *", ["*-*-* *:00,07,14,21,28,35,42,49,56:00"]],
    [
      "5-50/15 8-18 * * mon-fri",
      ["Mon,Tue,Wed,Thu,Fri *-*-* 08,09,10,11,12,13,14,15,16,17,18:05,20,35,50:00"],
    ],
    ["0 0 1 * fri", ["*-*-01 00:00:00", "Fri *-*-* 00:00:00"]],
    ["0 0 1-3 jan *", ["*-01-01,02,03 00:00:00"]],
  ])("%s is %j", (cron, calendars) => {
    expect(calendarsOf(timesOf(cron))).toEqual(calendars);
  });

  test("systemd starts them when cron does", ({ skip }) => {
    skip(!hasSystemd, MISSING);
    for (const cron of SCHEDULES) {
      const wanted = cronsTimes(cron);
      expect(wanted.length).toBeGreaterThan(1);
      expect([cron, systemdTimes(cron).slice(0, wanted.length)]).toEqual([cron, wanted]);
    }
  });
});

const SCHEDULES = [
  "*/10 * * * *",
  "*/7 */5 * * *",
  "5-50/15 8-18 * * mon-fri",
  "0 0 */2 * fri",
  "0 0 1,15 * fri",
  "0 0 29 2 *",
  "59 23 31 * *",
  "0 12 28-31 1,2 7",
];
const START = "2026-01-31 23:50:30";
const COUNT = 8;

/** The next moments by systemd's own reckoning, in UTC. */
function systemdTimes(cron: string): string[] {
  const words = [`--iterations=${String(COUNT)}`, `--base-time=${START} UTC`, ...calendarsOf(timesOf(cron))];
  const said = execFileSync("systemd-analyze", ["calendar", ...words], {
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
  });
  const moments = said.match(/\d{4}-\d\d-\d\d \d\d:\d\d(?=:00 UTC)/g) ?? [];
  return [...new Set(moments)].sort().slice(0, COUNT);
}

function cronsTimes(cron: string): string[] {
  const before = process.env["TZ"];
  process.env["TZ"] = "UTC";
  const moments = nextTimes(timesOf(cron), Date.parse(`${START}Z`), COUNT);
  if (before === undefined) delete process.env["TZ"];
  else process.env["TZ"] = before;
  return moments.map((ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " "));
}

test("systemd takes the units, whatever the folders are called", ({ skip }) => {
  skip(!hasSystemd, MISSING);
  const root = mkdtempSync(join(tmpdir(), "memq-units-"));
  const folder = join(root, `it's 50% $HOME 店 "x"`);
  mkdirSync(folder);
  writeFileSync(join(folder, "node"), "#!/bin/sh\n", { mode: 0o755 });
  const odd = { ...plan, configFile: join(folder, "config.ini"), node: join(folder, "node"), user: "root" };
  const { configFile, node, user } = odd;
  const workers = workUnit({ ...work, configFile, node, user });
  const files = [...systemdUnits(odd), workers].map(({ path, text }) => {
    const file = join(root, basename(path));
    writeFileSync(file, text);
    return file;
  });
  const { status, stderr } = analyze("verify", "--man=no", "--recursive-errors=no", ...files);
  expect([stderr, status]).toEqual(["", 0]);
  rmSync(root, { recursive: true });
});
