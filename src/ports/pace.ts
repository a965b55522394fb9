/**
 * What a queue's tasks take, as its runs have measured it lately. Publishers that may put several tasks into one
 * piece ask for it: slow tasks are shared better one by one. It is a note, and may be gone at any time.
 */
export const PACE_NOTE = "pace";

/** The mean ms of a task as the note's value. */
export const paceText = (meanMs: number): string => meanMs.toPrecision(3);

/** The mean ms that a note says; undefined: nothing that is one. */
export function paceOf(value: string | undefined): number | undefined {
  const ms = Number(value ?? "");
  return value !== undefined && value !== "" && Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}
