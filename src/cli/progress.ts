import type { RunEvent } from "../telemetry/events.ts";
import { isWatched, type Io } from "./io.ts";

/** A live line on a terminal; nothing elsewhere. */
export interface Progress {
  count(event: RunEvent): void;
  /** Takes the line away: something else is about to be written. */
  clear(): void;
  end(): void;
}

const REDRAW_MS = 200; // faster than that, nobody reads
const CLEAR_LINE = "\r\u001b[2K";

/** The terminal's width; one that does not know it says 0. */
function widthOf({ stderr: { columns = 0 } }: Io): number {
  return columns > 0 ? columns : 80;
}

/** Draws how far a run is, where somebody can see it. */
export function startProgress(io: Io, quiet: boolean): Progress {
  if (quiet || !isWatched(io)) {
    return { count: () => undefined, clear: () => undefined, end: () => undefined };
  }
  const counts = { done: 0, retry: 0, dead: 0 };
  const startedAtMs = performance.now();
  const draw = (): void => {
    const seconds = (performance.now() - startedAtMs) / 1_000;
    const rate = Math.round(counts.done / Math.max(seconds, 0.001));
    const line = `${String(counts.done)} done, ${String(counts.retry)} retried, ${String(counts.dead)} dead, ${String(rate)}/s`;
    io.stderr.write(`${CLEAR_LINE}${line.slice(0, widthOf(io) - 1)}`);
  };
  const timer = setInterval(draw, REDRAW_MS);
  timer.unref();
  return {
    count: ({ kind }) => {
      if (kind === "done" || kind === "retry" || kind === "dead") counts[kind]++;
    },
    clear: () => {
      io.stderr.write(CLEAR_LINE);
    },
    end: () => {
      clearInterval(timer);
      io.stderr.write(CLEAR_LINE);
    },
  };
}
