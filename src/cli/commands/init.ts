import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { inspectConfig } from "../../config/load.ts";
import { describeError, EXIT, MemqError } from "../../errors.ts";
import { findHandlerFiles } from "../../run/handler-files.ts";
import { crontabLine } from "../crontab-line.ts";
import type { Io } from "../io.ts";
import type { Session } from "../shell.ts";
import { STARTER_HANDLER, starterConfig } from "../starter.ts";

/** `memq init`: writes what is missing to start with, and overwrites nothing. */
export function init(session: Session): Promise<number> {
  const { io, parsed } = session;
  if (parsed.words.length > 0) throw new MemqError("USAGE", "takes no arguments, only --config FILE");
  const file = resolve(io.cwd(), parsed.text("config") ?? (io.env["MEMQ_CONFIG"] || "config.ini"));
  const handler = join(dirname(file), "handlers", "worker.mjs");
  const steps = [step(file, writeNew(file, starterConfig()))];
  if (wantsHandler(file, io)) steps.push(step(handler, writeNew(handler, STARTER_HANDLER)));
  tell(session, { file, steps, crontab: crontabLine(file) });
  if (isFile(dirname(handler))) session.say(inTheWay(dirname(handler)));
  return Promise.resolve(EXIT.ok);
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

const inTheWay = (path: string): string =>
  `${path} is a file: no handler was written. Make it a folder, or name your file with handlers in config.ini`;

interface Step {
  readonly path: string;
  readonly isNew: boolean;
}

const step = (path: string, isNew: boolean): Step => ({ path, isNew });

/** False when something is there already. @throws MemqError CONFIG_UNWRITABLE */
function writeNew(path: string, text: string): boolean {
  try {
    if (existsSync(path)) return false;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (cause) {
    throw new MemqError("CONFIG_UNWRITABLE", `${path} cannot be written: ${describeError(cause)}`, { cause });
  }
}

/** A second Worker beside the user's own would stop every run; theirs may have any of three names. */
function wantsHandler(path: string, io: Io): boolean {
  const { config } = inspectConfig({ path, env: io.env, cwd: io.cwd() });
  const [queue] = config?.queues ?? [];
  if (config === undefined || queue?.className !== "Worker" || queue.handlers !== undefined) return false;
  try {
    findHandlerFiles({ folder: config.folder, className: queue.className });
    return false;
  } catch (error) {
    if (error instanceof MemqError && error.code === "HANDLER_MISSING") return true;
    throw error;
  }
}

interface Report {
  readonly file: string;
  readonly steps: readonly Step[];
  readonly crontab: string | undefined;
}

function tell(session: Session, { file, steps, crontab }: Report): void {
  const { io, parsed, print, say } = session;
  const pathsOf = (isNew: boolean): string[] =>
    steps.filter((one) => one.isNew === isNew).map(({ path }) => relative(io.cwd(), path));
  if (parsed.flag("json")) {
    print(JSON.stringify({ written: pathsOf(true), kept: pathsOf(false), crontab }));
    return;
  }
  for (const path of pathsOf(true)) say(`Wrote ${path}`);
  for (const path of pathsOf(false)) say(`${path} is there already and was left alone; memq check tries it`);
  for (const line of nextSteps(relative(io.cwd(), dirname(file)))) say(line);
  if (crontab === undefined) say("The folder's name has a line break in it: no crontab line can name it.");
  else print(crontab);
}

const nextSteps = (folder: string): readonly string[] => [
  "",
  "Try it:",
  ...(folder === "" ? [] : [`  cd ${folder}`]),
  `  publish-task saveToLocal "hello"`,
  "  runjobs",
  "  cat worker.log",
  "",
  "To have cron do it every ten minutes, add this line with crontab -e:",
];
