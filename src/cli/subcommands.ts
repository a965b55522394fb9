import type { Command, Session } from "./shell.ts";

/** What a subcommand does; resolves with the exit code. */
export type Action = (session: Session) => Promise<number>;

/** A subcommand of `memq`: its help, and where its action is loaded from when it is asked for. */
export interface Subcommand extends Command {
  /** For the list of subcommands. */
  readonly brief: string;
  readonly load: () => Promise<Action>;
}

const KEY = { short: "k", value: "K", doc: "the unfinished task that has this key, instead of an id" };

/** In the order in which a newcomer meets them. */
export const SUBCOMMANDS: readonly Subcommand[] = [
  {
    name: "init",
    brief: "write a config.ini and a handler to start with",
    usage: "memq init [options]",
    about:
      "Writes config.ini and handlers/worker.mjs into the current folder (or where --config points),\n" +
      "and shows the crontab line. What is there already is left alone. The crontab line goes to stdout.",
    options: {},
    examples: [`memq init`, `memq init --config /srv/shop/config.ini`],
    load: async () => (await import("./commands/init.ts")).init,
  },
  {
    name: "check",
    brief: "try the configuration and the handlers, also against the tasks that wait",
    usage: "memq check [options]",
    about:
      "Reads config.ini, loads the handlers, asks the brokers, and looks whether every waiting task can be run.\n" +
      "As a run would, it makes an instance of each queue's class, and closes it.\n" +
      "Exits with 78 when something would fail, with 69 when only a broker cannot be reached.",
    options: {},
    examples: [`memq check`, `memq check --queue push --json`],
    load: async () => (await import("./commands/check.ts")).check,
  },
  {
    name: "doctor",
    brief: "look over servers, stores, handlers and configuration, and say what to do",
    usage: "memq doctor [options]",
    about:
      "Looks over everything the queues need: configuration, handlers, the store's folder, and how each memcached\n" +
      "was started and is doing. Changes nothing in a queue. Exits with 0 unless something fails.",
    options: { "as-cron": { doc: "try instead, as cron would, whether a run can start" } },
    examples: [`memq doctor`, `memq doctor --queue push --json`, `memq doctor --as-cron`],
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  {
    name: "status",
    brief: "how many tasks wait, are delayed, run, are dead",
    usage: "memq status [options]",
    about:
      "Shows what matters first, then the depth of every queue of the configuration, or of one. Consumes nothing.\n" +
      "--check says only what is past the limits of warn, or that runs are late, and exits with 1 then.",
    options: {
      check: { doc: "say only what is past a limit, and exit with 1 then" },
      watch: { doc: "show it again every 2 seconds until interrupted" },
    },
    examples: [`memq status`, `memq status --queue push --json`, `memq status --check`],
    load: async () => (await import("./commands/status.ts")).status,
  },
  {
    name: "list",
    brief: "the tasks in one state",
    usage: "memq list [waiting|delayed|running|dead] [options]",
    about:
      "Lists tasks, oldest first (delayed: soonest first; default: waiting), of every queue or of one.\n" +
      "Consumes nothing.",
    options: {
      limit: { value: "N", doc: "at most N tasks (default 20)" },
      after: { value: "CURSOR", doc: "go on where an earlier list ended; it says where" },
    },
    examples: [`memq list dead`, `memq list waiting --queue push --limit 100`, `memq list delayed --json`],
    load: async () => (await import("./commands/list.ts")).list,
  },
  {
    name: "show",
    brief: "everything about one task",
    usage: "memq show <id> | --key K",
    about: "Shows a task, wherever it is. Without --queue every queue of the configuration is searched.",
    options: { key: { ...KEY, doc: "the task that has this key, instead of an id" } },
    examples: [`memq show 7f3k2m`, `memq show --key order:42 --json`],
    load: async () => (await import("./commands/show.ts")).show,
  },
  {
    name: "why",
    brief: "why a task has not run yet, and when it will",
    usage: "memq why <id> | --key K",
    about: "One paragraph: where the task is, who holds it, what it waits for, and what would change that.",
    options: { key: { ...KEY, doc: "the task that has this key, instead of an id" } },
    examples: [`memq why 7f3k2m`, `memq why --key order:42`],
    load: async () => (await import("./commands/why.ts")).why,
  },
  {
    name: "runs",
    brief: "what runs did on this host",
    usage: "memq runs [options]",
    about:
      "Lists the runs that did or wanted to do something on this host, the latest first, with how they ended;\n" +
      "runs that found nothing to do are only counted.",
    options: { limit: { value: "N", doc: "at most N runs (default 20)" } },
    examples: [`memq runs`, `memq runs --queue push --limit 100 --json`],
    load: async () => (await import("./commands/runs.ts")).runs,
  },
  {
    name: "work",
    brief: "keep workers alive, which run tasks as they come",
    usage: "memq work [options] [queue…]",
    about:
      "Stays, and keeps worker processes alive that run tasks within milliseconds of their publishing. Without a\n" +
      "queue: all queues of the configuration. SIGHUP loads the handlers anew, SIGTERM ends when what runs has ended.",
    options: {
      processes: { short: "p", value: "N", doc: "how many worker processes (default 1)" },
      "if-not-running": { doc: "do nothing when such workers are kept already: for a crontab line" },
      "max-tasks": { value: "N", doc: "replace a process after N tasks" },
      "max-memory": {
        value: "512M",
        doc: "replace a process at this much memory (default: 80 % of the cgroup's)",
      },
      concurrency: { value: "N", doc: "tasks at a time in each process, instead of the queue's" },
      timeout: { value: "D", doc: "for one attempt, instead of the queue's" },
      log: { value: "FILE", doc: "append a line per task to FILE, and what handlers log" },
      systemd: { doc: "start none: print a unit of systemd that keeps such workers" },
      user: { value: "NAME", doc: "with --systemd: whose processes they are (default: yours)" },
    },
    examples: [
      `memq work`,
      `memq work push -p 5`,
      `* * * * * cd /path/to/project && memq work -p 5 --if-not-running      # a crontab line`,
    ],
    load: async () => (await import("./commands/work.ts")).work,
  },
  {
    name: "retry",
    brief: "put dead letters back",
    usage: "memq retry <id>… | --key K | --all",
    about: "Puts dead letters back into their queue, with fresh attempts. --all asks first.",
    options: {
      key: { ...KEY, doc: "the dead letter that has this key, instead of an id" },
      all: { doc: "every dead letter of every queue, or of --queue" },
    },
    examples: [`memq retry 7f3k2m`, `memq retry --all`, `memq retry --all --queue push --yes`],
    load: async () => (await import("./commands/retry.ts")).retry,
  },
  {
    name: "cancel",
    brief: "remove tasks that are not running",
    usage: "memq cancel <id>… | --key K | --all",
    about:
      "Removes tasks that are not running; their keys are free again. A running one exits with 75.\n" +
      "--all removes every waiting and delayed task of a queue, and asks first.",
    options: { key: KEY, all: { doc: "every waiting and delayed task of the queue" } },
    examples: [`memq cancel 7f3k2m`, `memq cancel --key order:42`, `memq cancel --all --queue push`],
    load: async () => (await import("./commands/cancel.ts")).cancel,
  },
  {
    name: "purge",
    brief: "remove all tasks in the states named",
    usage: "memq purge [waiting] [delayed] [dead] | --all",
    about:
      "Removes every task of a queue in the states named; running ones never. Counts them, and asks first.",
    options: { all: { doc: "waiting, delayed and dead" } },
    examples: [`memq purge dead`, `memq purge waiting delayed --queue push --yes`],
    load: async () => (await import("./commands/purge.ts")).purge,
  },
  {
    name: "wait",
    brief: "until a bulk is worked off",
    usage: "memq wait <name> [--for D]",
    about:
      "Waits until every task of a bulk (publish-task --from FILE --bulk NAME) is done or dead, and prints the counts.\n" +
      "Exits with 0 when all are done, with 1 when some are dead letters, with 75 when the time is over.\n" +
      "On memcached a bulk is known as long as memcached runs, and cancelled tasks count as done.",
    options: { for: { value: "1h", doc: "how long to wait at most (default 1h)" } },
    examples: [`memq wait users`, `memq wait users --for 10m --json`],
    load: async () => (await import("./commands/wait.ts")).wait,
  },
  {
    name: "crontab",
    brief: "the line that makes cron start runs",
    usage: "memq crontab print|install|remove|show [options]",
    about:
      "print shows the line with the paths of this machine, install puts it into your crontab (again: replaces\n" +
      "it), remove takes it out, show tells when cron starts it. No other line is touched.",
    options: {
      every: { value: "WHEN", doc: `"*/5 * * * *", @hourly or 10m (default: every in config.ini, else 10m)` },
      mailto: { value: "ADDRESS", doc: `who gets what a run says ("": nobody)` },
      log: { value: "FILE", doc: "append what a run says to FILE instead of mailing it" },
      systemd: { doc: "print: a timer and a service of systemd instead" },
      "cron-d": { doc: "print: a file for /etc/cron.d instead" },
      user: { value: "NAME", doc: "whose runs they are, with --systemd and --cron-d (default: you)" },
    },
    examples: [
      `memq crontab install`,
      `memq crontab install --queue push --every 5m`,
      `memq crontab print --cron-d --user www-data`,
    ],
    load: async () => (await import("./commands/crontab.ts")).crontab,
  },
  {
    name: "schedule",
    brief: "the tasks that are published at given times",
    usage: "memq schedule list | next [NAME] | run NAME | pause NAME | resume NAME",
    about:
      "Schedules stand in config.ini as [schedule.NAME]; runs publish what is due. list shows them, next their\n" +
      "next times, run publishes one now, pause and resume hold one back on every host that shares its queue.",
    options: { limit: { value: "N", doc: "next: how many times (default 5)" } },
    examples: [
      `memq schedule list`,
      `memq schedule next nightly-report --limit 10`,
      `memq schedule run nightly-report`,
    ],
    load: async () => (await import("./commands/schedule.ts")).schedule,
  },
  {
    name: "emit",
    brief: "publish the tasks that listen to an event",
    usage: "memq emit EVENT [k=v…] | --list",
    about:
      "Publishes a task for each that listens, in the order of the [event.NAME] sections of config.ini, and prints\n" +
      "their ids. Each is given what the event says, { k: v, … }, and the event's name. Values are strings.\n" +
      "Exits with 65 when nobody listens.",
    options: {
      key: {
        short: "k",
        value: "K",
        doc: "emitted again under the same key it publishes only what is not there",
      },
      "json-args": { doc: "parse each value as JSON (default: strings)" },
      "dry-run": { doc: "show what would be published" },
      list: { doc: "show the events that are listened to, and their tasks" },
    },
    examples: [
      `memq emit order_paied order_id=FB138`,
      `memq emit order.42.paied --json-args sum=19.5`,
      `memq emit --list`,
    ],
    load: async () => (await import("./commands/emit.ts")).emit,
  },
];
