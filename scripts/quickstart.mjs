// npm start: memq in half a minute, with the real commands in a folder of its own. It begins with an empty
// folder each time; what it leaves is there to be looked at and played with.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { styleText } from "node:util";

const folder = join(dirname(import.meta.dirname), "quickstart");
const PUSHES = 1_000;

const config = `queuename = default
classname = Worker

[queue.push]
concurrency = 10
`;

const worker = `import { appendFileSync } from "node:fs";

export default class Worker {
  saveToLocal(msg = "default data") {
    appendFileSync("./worker.log", msg + "\\n");
  }

  push(user) {
    appendFileSync("./push.log", "pushed to " + user + "\\n");
  }
}
`;

const greeting = "你好，世界: it's “later” now";

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
say("A configuration with two queues, and a plain class whose methods will be called:");
write("config.ini", config);
write("worker.mjs", worker);

say("Publish a call. It is kept on disk, and its id is printed:");
command("publish-task", "saveToLocal", greeting);

say(`Publish ${String(PUSHES)} more to the second queue, one per line of a file:`);
const users = Array.from({ length: PUSHES }, (_, index) => `user-${String(index + 1)}`);
writeFileSync(join(folder, "users.txt"), `${users.join("\n")}\n`);
command("publish-task", "push", "--queue", "push", "--from", "users.txt");

say("Nothing has run yet; that is what cron does every ten minutes:");
command("runjobs", "--summary", "text");

say("What the handlers did:");
const logged = linesOf("worker.log");
const pushed = linesOf("push.log");
for (const line of [...logged, ...pushed.slice(-3)]) process.stdout.write(`  ${line}\n`);
process.stdout.write(`  (${count(logged)} in worker.log, ${count(pushed)} in push.log)\n`);
if (
  logged.join() !== greeting ||
  pushed.toSorted().join() !==
    users
      .map((user) => `pushed to ${user}`)
      .toSorted()
      .join()
) {
  fail("This is not what was published.");
}

say("Now try it yourself:");
process.stdout.write(`  cd quickstart
  ../scripts/publish-task saveToLocal "in a minute" --delay 1m
  ../scripts/memq status
  ../scripts/runjobs
  ../scripts/publish-task --help
`);

/** @param {string} sentence */
function say(sentence) {
  process.stdout.write(`\n${styled("bold", sentence)}\n`);
}

/**
 * @param {string} name
 * @param {string} text
 */
function write(name, text) {
  writeFileSync(join(folder, name), text);
  process.stdout.write(`${styled("dim", `quickstart/${name}`)}\n${text.replace(/^(?=.)/gm, "  ")}`);
}

/**
 * Runs a command in the folder and shows both.
 * @param {string} name
 * @param {readonly string[]} args
 */
function command(name, ...args) {
  const shown = [`../scripts/${name}`, ...args.map(quoted)].join(" ");
  process.stdout.write(`${styled("dim", `$ ${shown}`)}\n`);
  const path = join(import.meta.dirname, name);
  const { status, error, stdout } = spawnSync(process.execPath, [path, ...args], {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = stdout.trimEnd().split("\n");
  process.stdout.write(
    lines.length <= 3 ? stdout : `${lines[0] ?? ""}\n… and ${String(lines.length - 1)} more\n`,
  );
  if (status !== 0) fail(`${shown} ended with ${String(status ?? error?.message)}.`);
}

/** @param {string} word */
function quoted(word) {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** @param {string} name */
function linesOf(name) {
  return readFileSync(join(folder, name), "utf8").trimEnd().split("\n");
}

/** @param {readonly string[]} lines */
function count(lines) {
  return lines.length === 1 ? "1 line" : `${String(lines.length)} lines`;
}

/**
 * @param {"bold" | "dim"} style
 * @param {string} text
 */
function styled(style, text) {
  return process.stdout.isTTY ? styleText(style, text) : text;
}

/**
 * @param {string} sentence
 * @returns {never}
 */
function fail(sentence) {
  process.stderr.write(`\n${sentence}\n`);
  process.exit(1);
}
