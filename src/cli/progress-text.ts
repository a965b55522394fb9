import type { Progress } from "../task/result.ts";
import { isoTime } from "./printable.ts";

/** `3 of 10 (30 %)`, or `3` where nobody knows of how much. */
export function progressText({ done, total }: Progress): string {
  if (total === undefined) return String(done);
  const share = total > 0 ? ` (${String(Math.floor((done / total) * 100))} %)` : "";
  return `${String(done)} of ${String(total)}${share}`;
}

/** The same for programs. */
export const progressJson = ({ done, total, at }: Progress): object => ({
  done,
  ...(total !== undefined && { total }),
  at: isoTime(at),
});
