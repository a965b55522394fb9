import { styleText } from "node:util";
import type { Io } from "./io.ts";

/** A heading on stdout: bold where that can be shown and nobody minds. */
export const heading = (text: string, io: Io): string =>
  wantsStyle(io) ? styleText("bold", text, { validateStream: false }) : text;

/** NO_COLOR and FORCE_COLOR decide where they are set, else whether it is a terminal that can do it. */
function wantsStyle({ stdout, env }: Io): boolean {
  const { NO_COLOR: no = "", FORCE_COLOR: force = "" } = env;
  if (no !== "") return false;
  if (force !== "") return force !== "0";
  return stdout.isTTY === true && env["TERM"] !== "dumb";
}
