import { once } from "node:events";
import { createInterface } from "node:readline";
import { MemqError } from "../errors.ts";
import type { Session } from "./shell.ts";

/**
 * Whether to go on with something that cannot be undone: asked on a terminal, taken from --yes.
 * @throws MemqError USAGE without a terminal and without --yes.
 */
export async function hasConsent({ io, parsed, say }: Session, question: string): Promise<boolean> {
  if (parsed.flag("yes")) return true;
  if (io.stdin.isTTY !== true || io.stderr.isTTY !== true) {
    throw new MemqError("USAGE", `"${question}" cannot be asked without a terminal`, {
      next: "Add --yes to say yes.",
    });
  }
  if (/^y(?:es)?$/i.test((await ask(io, question)).trim())) return true;
  say("Nothing was done.");
  return false;
}

/** One line from the terminal; empty when it is closed instead. */
async function ask({ stdin, stderr }: Session["io"], question: string): Promise<string> {
  const lines = createInterface({ input: stdin, output: stderr, prompt: `${question} [y/N] ` });
  lines.prompt();
  try {
    const answer = await Promise.race([once(lines, "line"), once(lines, "close")]);
    return String(answer[0] ?? "");
  } finally {
    lines.close();
  }
}
