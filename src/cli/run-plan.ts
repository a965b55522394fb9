import { accessSync, constants, existsSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, resolve } from "node:path";
import type { QueueConfig } from "../config/config.ts";
import type { Reading } from "../config/reading.ts";
import { cadenceOf, DEFAULT_EVERY, readCadence, type Cadence } from "../cron/cadence.ts";
import type { RunPlan } from "../cron/run-plan.ts";
import { stableNode } from "../cron/stable-node.ts";
import { describeError, MemqError } from "../errors.ts";
import type { Parsed } from "./options.ts";
import { scriptPath } from "./package-files.ts";
import type { Session } from "./shell.ts";

/** A plan, with the folder that may keep copies of what it replaces. */
export interface PlacedPlan extends RunPlan {
  readonly storePath: string;
}

/** What cron is to start, by the command line and the configuration. @throws MemqError USAGE, CONFIG_* */
export function planOf({ io, parsed, open }: Session): PlacedPlan {
  const memq = open();
  const named = parsed.text("queue");
  const queue = memq.queueConfig(named);
  const { file } = memq.config;
  if (file === undefined) throw new MemqError("BUG", "a command without a configuration file");
  const user = userOf(parsed);
  const log = logOf(parsed, io.cwd(), user === currentUser());
  const mailTo = mailToOf(parsed);
  return {
    configFile: file,
    cadence: cadenceFor(parsed, queue),
    node: stableNode(),
    script: scriptPath("runjobs"),
    user,
    storePath: queue.storePath,
    ...(named !== undefined && { queue: queue.name }),
    ...(log !== undefined && { log }),
    ...(mailTo !== undefined && { mailTo }),
  };
}

/** --every, else the queue's `every`, else every ten minutes. */
function cadenceFor(parsed: Parsed, queue: QueueConfig): Cadence {
  const text = parsed.text("every");
  if (text !== undefined) return sound(readCadence(text), `--every ${JSON.stringify(text)}`);
  return sound(cadenceOf(queue.every ?? DEFAULT_EVERY), `every of queue "${queue.name}"`);
}

function sound(reading: Reading<Cadence>, subject: string): Cadence {
  if ("value" in reading) return reading.value;
  throw new MemqError("USAGE", `${subject} ${reading.fault}`);
}

// What cron(8) itself takes; it silently mails nobody for others.
const ADDRESS = /^[\w.+@,:%!][\w.+@,:%!-]*$/;

function mailToOf(parsed: Parsed): string | undefined {
  const address = parsed.text("mailto");
  if (address === undefined || address === "" || ADDRESS.test(address)) return address;
  throw new MemqError("USAGE", `--mailto ${JSON.stringify(address)} is not an address that cron mails to`);
}

const USER = /^[A-Za-z_][\w.-]*\$?$/;

/** Whose processes they are: --user, else whoever runs this. @throws MemqError USAGE */
export function userOf(parsed: Parsed): string {
  const user = parsed.text("user") ?? currentUser();
  if (USER.test(user)) return user;
  throw new MemqError("USAGE", `${JSON.stringify(user)} is not the name of a user: give it with --user`);
}

/** The name of whoever runs this; "" when the system has none for the number, as in some containers. */
function currentUser(): string {
  try {
    return userInfo().username;
  } catch {
    return "";
  }
}

/** A shell that cannot open the log never starts the run: so it is tried before. */
function logOf(parsed: Parsed, cwd: string, isOwn: boolean): string | undefined {
  const text = parsed.text("log");
  if (text === undefined) return undefined;
  const path = resolve(cwd, text);
  try {
    if (text === "") throw new Error("it has no name");
    if (existsSync(path) && statSync(path).isDirectory()) throw new Error("it is a folder");
    if (isOwn) accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
    return path;
  } catch (cause) {
    const why = describeError(cause);
    throw new MemqError("USAGE", `--log ${path} could not be written: ${why}`, { cause });
  }
}
