import { MemqError } from "../../errors.ts";
import { nearest } from "../../task/nearest.ts";
import { TASK_STATES } from "../../task/task.ts";
import type { Parsed } from "../options.ts";
import { chooseQueues } from "../queues.ts";
import { removeAll, type Removable } from "../removal.ts";
import type { Session } from "../shell.ts";

const STATES: readonly Removable[] = ["waiting", "delayed", "dead"];

/** `memq purge`: removes every task of a queue in the states named. */
export async function purge(session: Session): Promise<number> {
  const states = readStates(session.parsed);
  return removeAll(session, chooseQueues(session), states);
}

function readStates({ words, flag }: Parsed): readonly Removable[] {
  if (flag("all") && words.length > 0) throw new MemqError("USAGE", "a state and --all exclude each other");
  if (flag("all")) return STATES;
  if (words.length === 0) {
    throw new MemqError("USAGE", `name what to remove: ${STATES.join(", ")}, or --all`);
  }
  return [...new Set(words.map(readState))];
}

function readState(word: string): Removable {
  const state = STATES.find((name) => name === word);
  if (state !== undefined) return state;
  const near = nearest(word, TASK_STATES);
  if (near === "running") throw new MemqError("USAGE", "running tasks are never removed");
  const hint = near === undefined ? `there are ${STATES.join(", ")}` : `did you mean "${near}"?`;
  throw new MemqError("USAGE", `${JSON.stringify(word)} is no state of a task, ${hint}`);
}
