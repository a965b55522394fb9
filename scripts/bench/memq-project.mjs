// A project that uses memq as a user's does: a configuration, a handler, the three commands.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ended, killed, started } from "./child.mjs";
import { jsonIn } from "./json.mjs";
import { until } from "./waiting.mjs";

const scripts = join(import.meta.dirname, "..");

// `stay` stays until the file that tells that it began is there, as a task does whose process is killed.
const HANDLER = `import { existsSync, writeFileSync } from "node:fs";
export default class PushWorker {
  push() {}
  async stay() {
    if (existsSync("began")) return;
    writeFileSync("began", "");
    await new Promise((resolve) => setTimeout(resolve, 600_000));
  }
}
`;

/** @param {string} folder @param {string} config what it says besides */
export function makeProject(folder, config) {
  writeFileSync(join(folder, "config.ini"), `classname = PushWorker\nhandlers = worker.mjs\n${config}`);
  writeFileSync(join(folder, "worker.mjs"), HANDLER);
}

/** @param {"publish-task" | "runjobs" | "memq"} name @param {string} folder @param {readonly string[]} args */
export const command = (name, folder, ...args) =>
  ended(process.execPath, [join(scripts, name), ...args], { cwd: folder });

/** Milliseconds from the kill of a run in the middle of a task to the end of that task in another run. @param {string} folder */
export async function rescueMs(folder) {
  await command("publish-task", folder, "stay");
  const run = started(process.execPath, [join(scripts, "runjobs")], { cwd: folder });
  await until("the run begins its task", () => existsSync(join(folder, "began")));
  const beganMs = performance.now();
  await killed(run);
  await until("another run does the task", async () => {
    const { out } = await command("runjobs", folder, "--summary", "json");
    return /** @type {{ queues: { done: number }[] }} */ (jsonIn(out)).queues[0]?.done === 1;
  });
  return performance.now() - beganMs;
}
