import { basename, dirname } from "node:path";
import type { CronTimes } from "../config/cadence.ts";
import { MemqError } from "../errors.ts";
import { assertPlain, type RunPlan } from "./run-plan.ts";
import { unitName } from "./unit-name.ts";

/** A file of systemd, with where it goes. */
export interface UnitFile {
  readonly path: string;
  readonly text: string;
}

/** A timer, and the service that it starts. @throws MemqError USAGE when a path cannot stand in such a file. */
export function systemdUnits(plan: RunPlan): readonly [service: UnitFile, timer: UnitFile] {
  assertPlain(plan);
  assertWhole(plan);
  const place = `/etc/systemd/system/${unitName(plan)}`;
  return [
    { path: `${place}.service`, text: serviceText(plan) },
    { path: `${place}.timer`, text: timerText(plan) },
  ];
}

/** systemd takes blanks at the end of a line away, and a backslash there for the sign that it goes on. @throws MemqError USAGE */
export function assertWhole({ configFile, log = "" }: Pick<RunPlan, "configFile" | "log">): void {
  const bad = [dirname(configFile), log].find((path) => /[\\\s]$/.test(path));
  if (bad === undefined) return;
  throw new MemqError(
    "USAGE",
    `${JSON.stringify(bad)} ends in a blank or a backslash: no unit of systemd can name it`,
  );
}

function serviceText({ configFile, queue, node, script, log, user }: RunPlan): string {
  const named = basename(configFile) === "config.ini" ? [] : ["--config", basename(configFile)];
  const args = [script, ...named, ...(queue === undefined ? [] : [queue])].map(argument);
  return unit([
    "[Unit]",
    `Description=${literal(descriptionOf(configFile, queue))}`,
    "",
    "[Service]",
    "Type=oneshot",
    `User=${user}`,
    `WorkingDirectory=${literal(dirname(configFile))}`,
    `ExecStart=${[program(node), ...args].join(" ")}`,
    ...(log === undefined ? [] : [`StandardOutput=append:${literal(log)}`, "StandardError=inherit"]),
  ]);
}

const timerText = ({ configFile, queue, cadence }: RunPlan): string =>
  unit([
    "[Unit]",
    `Description=${literal(`${descriptionOf(configFile, queue)}: ${cadence.words}`)}`,
    "",
    "[Timer]",
    ...calendarsOf(cadence.times).map((calendar) => `OnCalendar=${calendar}`),
    "# To the second, as cron does; and what was missed while the machine was off is made up for once.",
    "AccuracySec=1s",
    "Persistent=true",
    "",
    "[Install]",
    "WantedBy=timers.target",
  ]);

/** The text of a file of systemd. */
export const unit = (lines: readonly string[]): string => `${lines.join("\n")}\n`;

const descriptionOf = (configFile: string, queue: string | undefined): string =>
  `memq run of ${configFile}${queue === undefined ? "" : `, queue ${queue}`}`;

/** In every setting a `%` begins a specifier. */
export const literal = (text: string): string => text.replaceAll("%", "%%");

const word = (text: string): string => `"${literal(text).replace(/["\\]/g, "\\$&")}"`;

/** What is started stands for itself, but systemd takes no quotes and backslashes there: env starts anything. */
export const program = (text: string): string =>
  /["'\\]/.test(text) ? `"/usr/bin/env" ${argument(text)}` : word(text);

/** In the words behind it a `$` begins a variable. */
export const argument = (text: string): string => word(text).replaceAll("$", "$$$$");

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** The times as systemd.time(7) writes them; two when either the day or the weekday is enough. */
export function calendarsOf(times: CronTimes): readonly string[] {
  const { minutes, hours, days, months, weekdays, isEitherDay } = times;
  const clock = `${listed(hours, 24)}:${listed(minutes, 60)}:00`;
  const date = (ofMonth: readonly number[]): string => `*-${listed(months, 12)}-${listed(ofMonth, 31)}`;
  const week = weekdays.length === 7 ? "" : `${weekdays.map((day) => WEEKDAYS[day] ?? "").join(",")} `;
  if (!isEitherDay) return [`${week}${date(days)} ${clock}`];
  return [`${date(days)} ${clock}`, `${week}${date(EVERY_DAY)} ${clock}`];
}

const EVERY_DAY: readonly number[] = Array.from({ length: 31 }, (_, day) => day + 1);

/** `*`, or each of them: with `00/5` for the hours systemd 252 leaves midnight out when a month begins. */
const listed = (values: readonly number[], size: number): string =>
  values.length === size ? "*" : values.map(twoDigits).join(",");

const twoDigits = (value: number): string => String(value).padStart(2, "0");
