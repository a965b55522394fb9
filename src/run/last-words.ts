import { Obituaries, type Obituary, type RiskyTask } from "../host/obituaries.ts";
import type { Clock } from "../ports/clock.ts";

// Who minds the workers writes it down when it hears of the death; another worker may have the task before that.
const WRITTEN_WITHIN_MS = 1_000;
const LOOK_AGAIN_MS = 50;

/** What is known of the end of the process that a task ran in last, as the end of a sentence; "" when nothing is. */
export async function lastWords(storePath: string, task: RiskyTask, clock: Clock): Promise<string> {
  const obituaries = new Obituaries(storePath);
  const endMs = clock.upMs() + WRITTEN_WITHIN_MS;
  for (;;) {
    const found = obituaries.read(task);
    if (found !== undefined) return textOf(found);
    if (clock.upMs() >= endMs) return "";
    await clock.until(clock.now() + LOOK_AGAIN_MS);
  }
}

const textOf = ({ how, stderr }: Obituary): string =>
  stderr === "" ? ` (${how})` : ` (${how}), which had said:\n${stderr}`;
