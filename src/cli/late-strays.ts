import { guardExit } from "../run/exit-guard.ts";
import { catchLateStrays } from "../run/strays.ts";
import { forgiveLostReader } from "./lost-reader.ts";
import { describeThrown } from "./run-lines.ts";
import type { Session } from "./shell.ts";

/**
 * From now to the end of the process, what handlers left behind (a timer, a promise) can neither crash it nor
 * give it another exit code: it is told in a line. Nothing happens where the command is only a part of a process.
 */
export function mindLateStrays({ io, parsed, complain }: Session): void {
  if (io.exit === undefined) return;
  guardExit();
  forgiveLostReader();
  catchLateStrays((error) => {
    complain(`memq: an error outside any task: ${describeThrown(error, parsed.flag("verbose"))}`);
  });
}
