import { existsSync } from "node:fs";
import { EXIT } from "../errors.ts";
import { fromCrontab, shellWord } from "../cron/shell-word.ts";
import { readCheck, type Checked } from "./check-answer.ts";
import { CRON_PATH, type CronAnswer, type CronShell, type CronUser } from "./cron-shell.ts";
import { fail, ok, warn, type Diagnosis, type Verdict } from "./verdict.ts";

/** What is to be tried. */
export interface CronCase {
  readonly user: CronUser;
  /** Absolute. */
  readonly configFile: string;
  readonly node: string;
  /** Undefined: every queue of the configuration. */
  readonly queue?: string;
  /** The command `memq` of this package. */
  readonly memq: string;
  /** The commands that start runs, as they stand in a crontab; those that are installed, else the one to install. */
  readonly commands: readonly string[];
  /** The shell of whoever asks: what works there lacks only what cron does not have. */
  readonly here: CronShell;
}

/** What was found out about the line, then about each queue. */
export type Trials = readonly [cron: Diagnosis, ...queues: Diagnosis[]];

/** Tries in cron's environment what a run needs: node, the line itself, its log, configuration, handlers, brokers. */
export async function tryAsCron(shell: CronShell, what: CronCase): Promise<Trials> {
  const { home } = what.user;
  if (!existsSync(home)) {
    const fix = "give the user a home folder (usermod --home), or use another user's crontab";
    const verdict = fail("home", EXIT.config, { says: `${home} is not there, and cron starts there`, fix });
    return [{ about: CRON, verdicts: [verdict] }];
  }
  const verdicts = [await tryNode(shell, what)];
  for (const command of what.commands) verdicts.push(...(await tryCommand(shell, fromCrontab(command))));
  const { config, queues } = await tryCheck(shell, what);
  return [{ about: CRON, verdicts: [...verdicts, ...config] }, ...queues];
}

const CRON = "as cron starts it";

/** Only a warning: a line of ours says where node is. */
async function tryNode(shell: CronShell, { node }: CronCase): Promise<Verdict> {
  const { out } = await shell("command -v node && node --version");
  const [path = "", version = ""] = out.trim().split("\n");
  if (path !== "" && version === process.version) return ok("node", `${path} is ${version}, as here`);
  const found = path === "" ? `no node on ${CRON_PATH}` : `${path}, which is ${version}`;
  return warn("node", {
    says: `cron finds ${found}`,
    fix: `name it in full, as the line below does: ${node}`,
  });
}

const OUTPUT = / >> (.+) 2>&1$/;

/** The words of the line itself: folder, node and script, and the file that its output goes to. */
async function tryCommand(shell: CronShell, command: string): Promise<readonly Verdict[]> {
  const start = command.replace(OUTPUT, "");
  const verdicts = [judgeStart(start, await shell(`${start} --version`))];
  const log = OUTPUT.exec(command)?.[1];
  return log === undefined ? verdicts : [...verdicts, judgeLog(log, await shell(writable(log)))];
}

/** `log` is a word of the shell already. */
const writable = (log: string): string =>
  `if test -e ${log}; then test -f ${log} && test -w ${log}; else test -w "$(dirname ${log})"; fi`;

function judgeStart(command: string, answer: CronAnswer): Verdict {
  if (answer.code === 0) return ok("line", `starts runjobs ${answer.out.trim()}`);
  const fix = "memq crontab install writes it anew";
  return fail("line", EXIT.config, { says: `${command}: ${wordsOf(answer)}`, fix });
}

function judgeLog(log: string, { code }: CronAnswer): Verdict {
  if (code === 0) return ok("log", `${log} can be written`);
  const fix = "without it the shell does not even start the run: make it writable, or leave --log out";
  return fail("log", EXIT.config, { says: `${log} cannot be written`, fix });
}

/** Configuration, handlers and brokers, as `memq check` sees them there. */
async function tryCheck(
  shell: CronShell,
  { configFile, queue, node, memq, here }: CronCase,
): Promise<{ readonly config: readonly Verdict[]; readonly queues: readonly Diagnosis[] }> {
  const only = queue === undefined ? [] : ["--queue", queue];
  const words = [node, memq, "check", "--json", "--config", configFile, ...only];
  const command = words.map(shellWord).join(" ");
  const answer = await shell(command);
  const own = readCheck(await here(command));
  const checked = readCheck(answer);
  if (checked === undefined) {
    const fix = own === undefined ? "memq check says the same here" : ONLY_HERE;
    return { config: [fail("config", EXIT.config, { says: wordsOf(answer), fix })], queues: [] };
  }
  return {
    config: judgeConfig(configFile, checked, own),
    queues: checked.queues.map((queue) => judgeQueue(queue, own)),
  };
}

function judgeConfig(configFile: string, { faults }: Checked, own: Checked | undefined): readonly Verdict[] {
  if (faults.length === 0) return [ok("config", configFile)];
  const isRightHere = own?.faults.length === 0;
  return faults.map(({ message, exit, next }) =>
    fail("config", exit, { says: message, fix: isRightHere ? ONLY_HERE : next }),
  );
}

const ONLY_HERE =
  "it is right in this shell: what is missing are variables, or commands on PATH, that cron does not have; " +
  "put NAME=value above the line in the crontab";

function judgeQueue({ name, errors }: Checked["queues"][number], own: Checked | undefined): Diagnosis {
  const isRightHere = own?.queues.some((queue) => queue.name === name && queue.errors.length === 0) === true;
  const verdicts = errors.map(({ message, exit, next }) =>
    fail("queue", exit, { says: message, fix: isRightHere ? ONLY_HERE : next }),
  );
  const fine = ok("queue", "handlers load, and what keeps its tasks answers");
  return { about: `queue ${name}`, verdicts: verdicts.length === 0 ? [fine] : verdicts };
}

function wordsOf({ code, out, err }: CronAnswer): string {
  if (code === null) return "it did not end in time";
  const words = (err.trim() === "" ? out : err).trim().split("\n").slice(0, 3).join("; ");
  return words === "" ? `it exits with ${String(code)} and says nothing` : words;
}
