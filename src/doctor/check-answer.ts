import { ERRORS, type ErrorCode, type ExitCode } from "../errors.ts";

/** A fault that another process told. */
export interface ToldFault {
  readonly message: string;
  readonly exit: ExitCode;
  /** What to do about it. */
  readonly next: string;
}

/** What `memq check --json` found. */
export interface Checked {
  /** Of the configuration as a whole. */
  readonly faults: readonly ToldFault[];
  readonly queues: readonly { readonly name: string; readonly errors: readonly ToldFault[] }[];
}

/** Understands the answer of `memq check --json`; undefined when it is none, as when node was not found. */
export function readCheck({ out, err }: { readonly out: string; readonly err: string }): Checked | undefined {
  const report = jsonIn(out);
  const faults = err.split("\n").flatMap((line) => {
    const { error } = jsonIn(line) ?? {};
    return isRecord(error) ? [faultOf(error)] : [];
  });
  const queues = report?.["queues"];
  if (!Array.isArray(queues)) return faults.length === 0 ? undefined : { faults, queues: [] };
  return { faults, queues: queues.filter(isRecord).map(queueOf) };
}

const queueOf = ({ queue, errors }: Record<string, unknown>): Checked["queues"][number] => ({
  name: String(queue),
  errors: (Array.isArray(errors) ? errors : []).filter(isRecord).map(faultOf),
});

function faultOf({ code, message }: Record<string, unknown>): ToldFault {
  const { exit, next } = ERRORS[isErrorCode(code) ? code : "BUG"];
  return { message: String(message), exit, next };
}

const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === "string" && Object.hasOwn(ERRORS, code);

function jsonIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined; // words for people, such as the shell's own
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
