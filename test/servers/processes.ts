import { readdirSync, readFileSync } from "node:fs";

/** A live process of a project. */
export interface ProjectProcess {
  readonly pid: number;
  /** Its program and arguments. */
  readonly words: readonly string[];
  /** Whether a `memq work` has started it. */
  readonly isWorker: boolean;
}

/** Every live process whose HOME is the folder: all that a project has started, and what those have started. */
export function processesOf(folder: string): readonly ProjectProcess[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const variables = partsOf(pid, "environ"); // a zombie has none
    if (!variables.includes(`HOME=${folder}`)) return [];
    const isWorker = variables.some((variable) => variable.startsWith("_MEMQ_WORKER_OF="));
    return [{ pid: Number(pid), words: partsOf(pid, "cmdline"), isWorker }];
  });
}

function partsOf(pid: string, file: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0");
  } catch {
    return []; // it has ended, or is somebody else's
  }
}
