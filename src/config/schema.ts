import { HOST, HTTP_URL } from "./address.ts";
import { CADENCE, CRON, TIMEZONE } from "./cadence.ts";
import { CALL } from "./call.ts";
import { EVENT_TASK, TOPIC } from "./event.ts";
import { CLASS_NAME, NAME_TYPE } from "./name.ts";
import type { ValueType } from "./reading.ts";
import { THRESHOLDS } from "./thresholds.ts";
import { BUNDLE, choice, count, CREDENTIAL, DURATION, KEEPING } from "./value.ts";
import { PATH, SIZE, SWITCH, TEXT, WAITS } from "./value.ts";

/** One key of config.ini. The loader, the error texts and docs/config.md read nothing but these. */
export interface Setting<T> {
  readonly type: ValueType<T>;
  /** As one would write it; undefined: there is none, and `none` takes an inherited value back. */
  readonly default?: string;
  /** One line for the documentation. */
  readonly doc: string;
  /** Only above all sections. */
  readonly topOnly?: true;
  /** The section is worth nothing without it. */
  readonly required?: true;
  /** Never shown, and never taken from a `MEMQ_` variable: it goes only where the file sends it. */
  readonly hidden?: true;
  /** Never stands in the file itself, only as `env:NAME`. */
  readonly envOnly?: true;
}

/** A table of settings by key. */
export type Settings = Readonly<Record<string, Setting<unknown>>>;

const MAX_CONCURRENCY = 1_000; // more calls at a time call for more processes
const MAX_RUNS = 1_000; // each is a process of its own
const MAX_PORT = 65_535;

/** Keys of the top level and of `[queue.NAME]`. */
export const QUEUE_SETTINGS = {
  queuename: {
    type: NAME_TYPE,
    default: "default",
    doc: "Name of the queue that the keys above all sections describe.",
    topOnly: true,
  },
  queueip: {
    type: HOST,
    doc: "memcached that keeps this queue. Without it the tasks are kept in `store`, on this machine.",
  },
  queueport: { type: count(1, MAX_PORT), default: "11211", doc: "Port of that memcached." },
  classname: {
    type: CLASS_NAME,
    default: "Worker",
    doc: "Class that runs the tasks published without a class.",
  },
  handlers: {
    type: PATH,
    doc: "File or folder of handler classes. Without it: `./handlers/` if there, else a file named after `classname` beside config.ini.",
  },
  store: {
    type: PATH,
    default: "./memq-data",
    doc: "Folder of the embedded store, and of what this machine remembers.",
  },
  retry: {
    type: WAITS,
    default: "10s, 1m, 10m, 1h",
    doc: "Waits between attempts; when they are used up the task becomes a dead letter. `none`: one attempt.",
  },
  timeout: { type: DURATION, default: "10m", doc: "How long one attempt may take." },
  concurrency: {
    type: count(1, MAX_CONCURRENCY),
    default: "1",
    doc: "Tasks at a time in one run. 1 keeps their order.",
  },
  "max-size": {
    type: SIZE,
    default: "900KB",
    doc: "Largest encoded task; a larger one is refused when it is published.",
  },
  bundle: {
    type: BUNDLE,
    default: "auto",
    doc: "Tasks per memcached item in bulk publishing. `auto`: by what tasks took in the last runs.",
  },
  secret: {
    type: TEXT,
    doc: "Signs tasks and refuses unsigned ones. Only as `env:NAME`.",
    hidden: true,
    envOnly: true,
  },
  username: { type: CREDENTIAL, doc: "User name for memcached (SASL).", hidden: true },
  password: { type: CREDENTIAL, doc: "Password for memcached (SASL), better as `env:NAME`.", hidden: true },
  "max-runs": {
    type: count(1, MAX_RUNS),
    default: "4",
    doc: "Runs of this queue that may overlap on one machine.",
  },
  every: {
    type: CADENCE,
    doc: "How often cron starts a run: for the warning about late runs, and for `cover`.",
  },
  cover: {
    type: SWITCH,
    default: "off",
    doc: "A run waits for what falls due before the next one starts, by `every` or by the line of `memq crontab install`.",
  },
  warn: {
    type: THRESHOLDS,
    doc: "When runs and `memq status --check` warn, such as `10000 waiting, 30m oldest`.",
  },
  log: { type: PATH, doc: "File that gets a line per task, and what handlers log." },
  ping: { type: HTTP_URL, doc: "Address of a monitor: a run calls `URL/start`, then `URL` or `URL/fail`." },
  results: {
    type: KEEPING,
    default: "off",
    doc: "How long the results of tasks are kept, in memcached at most 30 days. Without it: only of tasks that somebody waits for.",
  },
  "on-result": {
    type: PATH,
    doc: "Module that is called after each attempt: its default export, or `onResult`.",
  },
} as const satisfies Settings;

/** Keys of `[schedule.NAME]`. */
export const SCHEDULE_SETTINGS = {
  cron: {
    type: CRON,
    doc: "When: five fields as in a crontab line, or `@daily` and the like.",
    required: true,
  },
  timezone: { type: TIMEZONE, doc: "Time zone of `cron`. Without it: the machine's." },
  call: { type: CALL, doc: "The task, as one writes it for publish-task.", required: true },
  queue: { type: NAME_TYPE, doc: "Queue that the task goes to. Without it: `queuename`." },
  "catch-up": {
    type: choice("none", "one", "all"),
    default: "one",
    doc: "How many of the times that passed while nothing ran are made up for.",
  },
} as const satisfies Settings;

/** Keys of `[event.NAME]`. */
export const EVENT_SETTINGS = {
  on: { type: TOPIC, doc: "Event, or topic pattern in quotes. Without it: NAME." },
  "task[]": {
    type: EVENT_TASK,
    doc: "A task of the event, such as `closeOrder @default after 20m`; one line each.",
    required: true,
  },
} as const satisfies Settings;

/** What a table of settings reads to: undefined only where there is neither a value nor a default. */
export type Values<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends { readonly type: ValueType<infer T> }
    ? S[K] extends { readonly default: string } | { readonly required: true }
      ? T
      : T | undefined
    : never;
};

export type QueueKey = keyof typeof QUEUE_SETTINGS;
