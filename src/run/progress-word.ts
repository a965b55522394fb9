import type { Progress } from "../task/result.ts";

/** What a handler said of its progress, as far as it can be told. */
export interface ProgressWord {
  /** Undefined: nothing of it can. */
  readonly progress?: Omit<Progress, "at">;
  /** What is wrong with it, for people. */
  readonly fault?: string;
}

/** Reads what plain JavaScript may have said: nothing of it is a reason to fail a task. Never throws. */
export function readProgress(done: unknown, total?: unknown): ProgressWord {
  const said = `progress(${[done, ...(total === undefined ? [] : [total])].map(textOf).join(", ")})`;
  if (!isAmount(done)) return { fault: `${said} is not told: it takes ${WANTED}` };
  if (total === undefined) return { progress: { done } };
  if (isAmount(total) && total >= done) return { progress: { done, total } };
  return { progress: { done }, fault: `${said} is told without its total: it takes ${WANTED}` };
}

const WANTED = "how much is done, from 0 on, and of how much, which is not less";

const isAmount = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && value >= 0;

const MOST_CHARS = 20;

function textOf(value: unknown): string {
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? JSON.stringify(value.slice(0, MOST_CHARS)) : typeof value;
}
