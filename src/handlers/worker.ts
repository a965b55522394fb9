import { appendFileSync } from "node:fs";

/** The sample handler that config.ini names: its public methods are the tasks that can be published. */
export default class Worker {
  /** Appends the message to ./worker.log, beside config.ini. */
  saveToLocal(msg = "default data"): void {
    appendFileSync("./worker.log", `${msg}\n`);
  }

  /** Stands for a push notification: writes the user into ./push.log. */
  push(user: string): void {
    appendFileSync("./push.log", `${user}\n`);
  }
}
