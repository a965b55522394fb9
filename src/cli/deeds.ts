import { MemqError, worstExit, type ExitCode } from "../errors.ts";
import type { Session } from "./shell.ts";
import { nameText, type Name } from "./targets.ts";

/** What became of one named task. */
export interface Deed {
  readonly name: Name;
  /** Undefined: it was done. */
  readonly error?: MemqError;
}

/** Does something to each named task; one that it cannot be done to does not keep the others from it. */
export async function doEach(
  names: readonly Name[],
  act: (name: Name) => Promise<unknown>,
): Promise<readonly Deed[]> {
  const deeds: Deed[] = [];
  for (const name of names) {
    try {
      await act(name);
      deeds.push({ name });
    } catch (error) {
      if (!(error instanceof MemqError)) throw error;
      deeds.push({ name, error });
    }
  }
  return deeds;
}

/** Tells what could not be done; the exit code that it means. */
export function complainOfDeeds(session: Session, deeds: readonly Deed[]): ExitCode {
  const errors = deeds.flatMap(({ error }) => (error === undefined ? [] : [error]));
  for (const error of errors) session.complainOf(error);
  return worstExit(errors.map(({ exit }) => exit));
}

/** How many were done. */
export const countDone = (deeds: readonly Deed[]): number =>
  deeds.filter(({ error }) => error === undefined).length;

/** A refusal that names the task: `task "7f3k" is waiting: …`. */
export const refusal = (code: MemqError["code"], name: Name, why: string): MemqError =>
  new MemqError(code, `${nameText(name)} ${why}`);
