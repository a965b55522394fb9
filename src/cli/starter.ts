import { QUEUE_SETTINGS, type QueueKey } from "../config/schema.ts";

/** The config.ini that `memq init` writes: complete as it stands, the other settings as comments. */
export function starterConfig(): string {
  return [
    "; memq: a script publishes a method call, cron runs it later.",
    "; A line that begins with ; is a comment. memq check reads this file and tells what is wrong with it.",
    "",
    "queuename = default",
    "classname = Worker",
    "",
    "; Without queueip the tasks are kept on this machine, synced to disk. With it they are in the memory of a",
    "; memcached, and hosts can share them; a restart of memcached loses the queue.",
    ";queueip   = 192.168.1.1",
    `;queueport = ${QUEUE_SETTINGS.queueport.default}`,
    ...SHOWN.flatMap((key) => ["", ...settingLines(key)]),
    "",
    "; Further queues take the settings above, and their own:",
    ";[queue.push]",
    ";classname = Push",
    "",
  ].join("\n");
}

// What somebody changes in the first week.
const SHOWN = ["retry", "timeout", "concurrency", "store"] as const satisfies readonly QueueKey[];

function settingLines(key: (typeof SHOWN)[number]): readonly string[] {
  const setting = QUEUE_SETTINGS[key];
  return [`; ${setting.doc.replaceAll("`", "")}`, `;${key} = ${setting.default}`];
}

/** The handler that goes with it. */
export const STARTER_HANDLER = `import { appendFileSync } from "node:fs";

// Every public method of this class is a task that can be published:
//   publish-task saveToLocal "hello"
export default class Worker {
  saveToLocal(msg = "default data") {
    appendFileSync("./worker.log", msg + "\\n");
  }
}
`;
