import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

// Debian's commands of RabbitMQ on PATH turn into another user; these do not.
const BEFORE_PATH = "/usr/lib/rabbitmq/bin";
const AFTER_PATH = "/usr/sbin"; // where Debian puts servers, which is not on everybody's PATH

/** Where a program is; undefined: it is not installed. @param {string} name */
export function programNamed(name) {
  const folders = [BEFORE_PATH, ...(process.env["PATH"] ?? "").split(delimiter), AFTER_PATH];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** The first version number that a command says. @param {readonly string[]} command */
export function versionSaidBy([name = "", ...args]) {
  const path = programNamed(name) ?? name;
  const { stdout, stderr } = spawnSync(path, args, {
    encoding: "utf8",
    timeout: 20_000,
  });
  return /\d+(\.\d+)+/.exec(`${stdout}${stderr}`)?.[0] ?? "?";
}
