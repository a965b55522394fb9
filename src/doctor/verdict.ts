import { EXIT, worstExit, type ErrorCode, ERRORS, type ExitCode } from "../errors.ts";

/** What one check came to. */
export interface Verdict {
  /** Which check it was: a stable name, listed in docs/doctor.md. */
  readonly check: string;
  readonly verdict: "ok" | "warn" | "fail";
  readonly says: string;
  /** What to do about it; absent where all is well. */
  readonly fix?: string;
  /** How a command exits because of it: only what fails is more than 0. */
  readonly exit: ExitCode;
}

/** Everything that was found out about one thing. */
export interface Diagnosis {
  /** `queue mail`, `memcached 127.0.0.1:11211`, ... */
  readonly about: string;
  readonly verdicts: readonly Verdict[];
}

/** What is wrong, and what to do about it. */
export interface Complaint {
  readonly says: string;
  readonly fix: string;
}

export const ok = (check: string, says: string): Verdict => ({ check, verdict: "ok", says, exit: EXIT.ok });

/** Nothing is lost or stopped by it yet. */
export const warn = (check: string, complaint: Complaint): Verdict => ({
  check,
  verdict: "warn",
  ...complaint,
  exit: EXIT.ok,
});

/** Tasks are lost, or cannot be published or run, as it is. */
export const fail = (check: string, exit: ExitCode, complaint: Complaint): Verdict => ({
  check,
  verdict: "fail",
  ...complaint,
  exit,
});

/** An error of ours as a verdict: its table has the fix. */
export const failed = (check: string, code: ErrorCode, says: string): Verdict =>
  fail(check, ERRORS[code].exit, { says, fix: ERRORS[code].next });

/** How `memq doctor` exits: 0 unless something fails. */
export const exitOf = (diagnoses: readonly Diagnosis[]): ExitCode =>
  worstExit(diagnoses.flatMap(({ verdicts }) => verdicts.map(({ exit }) => exit)));
