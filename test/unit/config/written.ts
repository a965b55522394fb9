import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { Config, QueueConfig } from "../../../src/config/config.ts";
import { type Inspection, inspectConfig, type LoadOptions } from "../../../src/config/load.ts";
import { MemqError } from "../../../src/errors.ts";

/** A folder of this test file's own, removed after it. */
export const folder = mkdtempSync(join(tmpdir(), "memq-config-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

type Around = Partial<Pick<LoadOptions, "env" | "flags">>;

/** What is made of a config.ini with that content. */
export function inspect(content: string | Uint8Array, around: Around = {}): Inspection {
  writeFileSync(join(folder, "config.ini"), content);
  return inspectConfig({ cwd: folder, env: {}, ...around });
}

/** The configuration in that content, which has no fault. */
export function read(content: string | Uint8Array, around: Around = {}): Config {
  const { config, error } = inspect(content, around);
  if (error !== undefined) throw error;
  if (config === undefined) throw new Error("neither a configuration nor an error");
  return config;
}

/** The lines of the error about that content, without its first; [] when it has no fault. */
export const faultsIn = (content: string | Uint8Array, around: Around = {}): readonly string[] =>
  inspect(content, around)
    .error?.message.split("\n")
    .slice(1)
    .map((line) => line.trim()) ?? [];

/** The queue of that name. */
export function queueIn(config: Config, name: string): QueueConfig {
  const queue = config.queues.find((candidate) => candidate.name === name);
  if (queue === undefined) throw new Error(`no queue ${name}`);
  return queue;
}

/** The error that `act` throws. */
export function errorFrom(act: () => unknown): MemqError {
  try {
    act();
  } catch (error) {
    if (error instanceof MemqError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
