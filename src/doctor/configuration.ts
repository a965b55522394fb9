import { EXIT } from "../errors.ts";
import { fail, ok, type Diagnosis } from "./verdict.ts";

/** What reading the configuration came to. */
export interface Reading {
  /** Undefined: it was given as an object. */
  readonly file?: string | undefined;
  /** Each in words, with its line. */
  readonly faults: readonly string[];
  /** The queues that are without fault. */
  readonly queues: readonly string[];
}

/** Judges a configuration: every fault is one, not only the first. */
export function judgeConfiguration({ file = "the configuration", faults, queues }: Reading): Diagnosis {
  const fix = "correct it; docs/config.md has every key";
  const bad = faults.map((says) => fail("config", EXIT.config, { says, fix }));
  const names = queues.length === 1 ? `queue ${queues[0] ?? ""}` : `queues ${queues.join(", ")}`;
  const good = bad.length === 0 ? [ok("config", `${file}: ${names}`)] : [];
  return { about: "configuration", verdicts: [...good, ...bad] };
}
