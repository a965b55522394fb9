import { EXIT, MemqError } from "../../errors.ts";
import type { ScheduleConfig } from "../../config/config.ts";
import type { Memq } from "../../memq.ts";
import { findSchedule, runNow, setPaused } from "../../schedule/control.ts";
import { nearest } from "../../task/nearest.ts";
import { listSchedules, nextTimes } from "../schedule-views.ts";
import type { Session } from "../shell.ts";

interface Verb {
  readonly act: (session: Session, name: string | undefined) => Promise<number>;
  readonly takesName: "no" | "maybe" | "yes";
  readonly takesLimit?: true;
}

const VERBS: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ["list", { act: listSchedules, takesName: "no" }],
  ["next", { act: nextTimes, takesName: "maybe", takesLimit: true }],
  ["run", { act: onOne(run), takesName: "yes" }],
  ["pause", { act: onOne((one) => pause(one, true)), takesName: "yes" }],
  ["resume", { act: onOne((one) => pause(one, false)), takesName: "yes" }],
]);

/** `memq schedule`: looks after the tasks that are published at given times. */
export async function schedule(session: Session): Promise<number> {
  const [word, name, ...more] = session.parsed.words;
  const verb = VERBS.get(word ?? "");
  if (word === undefined || verb === undefined) throw unknownVerb(word);
  const [surplus] = verb.takesName === "no" ? [name] : more;
  if (surplus !== undefined) throw misuse(`${JSON.stringify(surplus)} is one word too many`);
  if (verb.takesName === "yes" && name === undefined) throw misuse(`${word} which schedule?`);
  assertNoLimit(session, word, verb);
  return verb.act(session, name);
}

function assertNoLimit({ parsed }: Session, word: string, { takesLimit }: Verb): void {
  if (takesLimit !== true && parsed.text("limit") !== undefined) {
    throw misuse(`${word} does not take --limit`);
  }
}

const misuse = (message: string): MemqError => new MemqError("USAGE", message);

function unknownVerb(word: string | undefined): MemqError {
  const names = [...VERBS.keys()];
  if (word === undefined) return misuse(`say what to do: ${names.join(", ")}`);
  const near = nearest(word, names);
  const hint = near === undefined ? `there are ${names.join(", ")}` : `did you mean "${near}"?`;
  return misuse(`there is no ${JSON.stringify(word)}, ${hint}`);
}

interface One {
  readonly session: Session;
  readonly memq: Memq;
  readonly config: ScheduleConfig;
}

function onOne(act: (one: One) => Promise<number>): Verb["act"] {
  return (session, name = "") => {
    const memq = session.open();
    return act({ session, memq, config: findSchedule(memq, name) });
  };
}

async function run({ session, memq, config }: One): Promise<number> {
  const id = await runNow(memq, config);
  session.print(session.parsed.flag("json") ? JSON.stringify({ id }) : id);
  return EXIT.ok;
}

async function pause({ session, memq, config }: One, isPaused: boolean): Promise<number> {
  await setPaused(memq, config, { isPaused, nowMs: Date.now() });
  if (session.parsed.flag("json")) session.print(JSON.stringify({ schedule: config.name, paused: isPaused }));
  else session.say(`Schedule ${config.name} ${isPaused ? "is paused until it is resumed" : "goes on"}.`);
  return EXIT.ok;
}
