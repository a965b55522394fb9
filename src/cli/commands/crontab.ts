import { MemqError } from "../../errors.ts";
import { nearest } from "../../task/nearest.ts";
import { printPlan } from "../crontab-print.ts";
import { install, remove, show } from "../crontab-table.ts";
import type { Session } from "../shell.ts";

interface Verb {
  readonly act: (session: Session) => Promise<number>;
  /** Those of the options below that it takes. */
  readonly options: readonly string[];
}

const OPTIONS = ["every", "mailto", "log", "systemd", "cron-d", "user"];

const VERBS: ReadonlyMap<string, Verb> = new Map([
  ["print", { act: printPlan, options: OPTIONS }],
  ["install", { act: install, options: ["every", "mailto", "log"] }],
  ["remove", { act: remove, options: [] }],
  ["show", { act: show, options: [] }],
]);

/** `memq crontab`: the line that makes cron start runs. */
export async function crontab(session: Session): Promise<number> {
  const { words } = session.parsed;
  const verb = VERBS.get(words[0] ?? "");
  if (verb === undefined || words.length > 1) throw misuse(words);
  const stray = OPTIONS.find((name) => isGiven(session, name) && !verb.options.includes(name));
  if (stray === undefined) return verb.act(session);
  const only = stray === "systemd" || stray === "cron-d" ? ", which only prints: memq crontab print" : "";
  throw new MemqError("USAGE", `${words[0] ?? ""} does not take --${stray}${only}`);
}

const isGiven = ({ parsed }: Session, name: string): boolean =>
  parsed.flag(name) || parsed.text(name) !== undefined;

function misuse([word, ...others]: readonly string[]): MemqError {
  const names = [...VERBS.keys()];
  if (word === undefined) return new MemqError("USAGE", `say what to do: ${names.join(", ")}`);
  if (VERBS.has(word)) return new MemqError("USAGE", `${JSON.stringify(others[0])} is one word too many`);
  const near = nearest(word, names);
  const hint = near === undefined ? `there are ${names.join(", ")}` : `did you mean "${near}"?`;
  return new MemqError("USAGE", `there is no ${JSON.stringify(word)}, ${hint}`);
}
