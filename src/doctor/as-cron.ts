import { existsSync } from "node:fs";
import { EXIT, type ExitCode } from "../errors.ts";
import { fromCrontab, shellWord } from "../cron/shell-word.ts";
import { readCheck } from "./check-answer.ts";
import { CRON_PATH, type CronAnswer, type CronShell, type CronUser } from "./cron-shell.ts";

/** What was tried where cron would start it, and how it went. */
export interface CronTrial {
  readonly about: string;
  readonly verdict: "ok" | "warn" | "fail";
  readonly says: string;
  /** What to do about it; absent when nothing needs doing. */
  readonly fix?: string;
  /** How a command exits because of it. */
  readonly exit: ExitCode;
}

/** What is to be tried. */
export interface CronCase {
  readonly user: CronUser;
  /** Absolute. */
  readonly configFile: string;
  readonly node: string;
  /** The command `memq` of this package. */
  readonly memq: string;
  /** The commands that start runs, as they stand in a crontab; those that are installed, else the one to install. */
  readonly commands: readonly string[];
  /** Whether the configuration is right in this very environment. */
  readonly worksHere: boolean;
}

/** Tries in cron's environment what a run needs: node, the line itself, its log, configuration, handlers, brokers. */
export async function tryAsCron(shell: CronShell, what: CronCase): Promise<readonly CronTrial[]> {
  const { home } = what.user;
  if (!existsSync(home)) {
    const fix = "give the user a home folder (usermod --home), or use another user's crontab";
    return [
      { ...failed("home", EXIT.config, `${home} is not there, and cron starts nothing without it`), fix },
    ];
  }
  const trials = [await tryNode(shell, what)];
  for (const command of what.commands) trials.push(...(await tryCommand(shell, fromCrontab(command))));
  return [...trials, ...(await tryCheck(shell, what))];
}

/** Only a warning: a line of ours says where node is. */
async function tryNode(shell: CronShell, { node }: CronCase): Promise<CronTrial> {
  const { out } = await shell("command -v node && node --version");
  const [path = "", version = ""] = out.trim().split("\n");
  if (path !== "" && version === process.version) return passed("node", `${path} is ${version}, as here`);
  const found = path === "" ? `no node on ${CRON_PATH}` : `${path}, which is ${version}`;
  const fix = `name it in full, as the line below does: ${node}`;
  return { about: "node", verdict: "warn", says: `cron finds ${found}`, fix, exit: EXIT.ok };
}

const OUTPUT = / >> (.+) 2>&1$/;

/** The words of the line itself: folder, node and script, and the file that its output goes to. */
async function tryCommand(shell: CronShell, command: string): Promise<readonly CronTrial[]> {
  const start = command.replace(OUTPUT, "");
  const trials = [startTrial(start, await shell(`${start} --version`))];
  const log = OUTPUT.exec(command)?.[1];
  return log === undefined ? trials : [...trials, logTrial(log, await shell(writable(log)))];
}

/** `log` is a word of the shell already. */
const writable = (log: string): string =>
  `if test -e ${log}; then test -f ${log} -a -w ${log}; else test -w "$(dirname ${log})"; fi`;

function startTrial(command: string, answer: CronAnswer): CronTrial {
  if (answer.code === 0) return passed("line", `starts runjobs ${answer.out.trim()}`);
  const fix = "memq crontab install writes it anew";
  return { ...failed("line", EXIT.config, `${command}: ${wordsOf(answer)}`), fix };
}

function logTrial(log: string, { code }: CronAnswer): CronTrial {
  if (code === 0) return passed("log", `${log} can be written`);
  const fix = "without it the shell does not even start the run: make it writable, or leave --log out";
  return { ...failed("log", EXIT.config, `${log} cannot be written`), fix };
}

/** Configuration, handlers and brokers, as `memq check` sees them there. */
async function tryCheck(
  shell: CronShell,
  { configFile, node, memq, worksHere }: CronCase,
): Promise<readonly CronTrial[]> {
  const answer = await shell(
    `${[node, memq, "check", "--json", "--config", configFile].map(shellWord).join(" ")}`,
  );
  const checked = readCheck(answer);
  if (checked === undefined) return [failed("check", EXIT.bug, wordsOf(answer))];
  const fix = worksHere
    ? "it is right in this shell: what is missing are variables that cron does not have; put NAME=value above the line in the crontab"
    : "memq check says the same here";
  const faults = checked.faults.map(({ message, exit }) => ({
    ...failed("configuration", exit, message),
    fix,
  }));
  const queues = checked.queues.map(({ name, errors }): CronTrial => {
    const about = `queue ${name}`;
    if (errors.length === 0) return passed(about, "handlers load, and what keeps its tasks answers");
    const exit = errors[0]?.exit ?? EXIT.config;
    return failed(about, exit, errors.map(({ message }) => message).join("; "));
  });
  return faults.length === 0 ? [passed("configuration", configFile), ...queues] : [...faults, ...queues];
}

const passed = (about: string, says: string): CronTrial => ({ about, verdict: "ok", says, exit: EXIT.ok });

const failed = (about: string, exit: ExitCode, says: string): CronTrial => ({
  about,
  verdict: "fail",
  says,
  exit,
});

function wordsOf({ code, out, err }: CronAnswer): string {
  if (code === null) return "it did not end in time";
  const words = (err.trim() === "" ? out : err).trim().split("\n").slice(0, 3).join("; ");
  return words === "" ? `it exits with ${String(code)} and says nothing` : words;
}
