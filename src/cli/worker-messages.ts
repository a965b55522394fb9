/** What a worker's process says to its parent. */
export type FromWorker =
  | { readonly memq: "ready"; readonly memoryBytes: number }
  | { readonly memq: "begun"; readonly lacks: readonly string[] }
  | { readonly memq: "leaving" }
  /** An attempt begins that may be the task's last; the parent tells of it should it end the process. */
  | { readonly memq: "risks"; readonly queue: string; readonly id: string; readonly timeoutMs: number }
  | { readonly memq: "survived"; readonly queue: string; readonly id: string };

/** What a parent says to a worker's process. */
export interface ToWorker {
  readonly memq: "leave" | "stop";
}

/** The variable that tells a process that it is a worker, and whose. */
export const WORKER_VARIABLE = "_MEMQ_WORKER_OF";

/** Whether this process was started as a worker by its parent. */
export const isWorkerChild = (env: NodeJS.ProcessEnv): boolean =>
  process.send !== undefined && env[WORKER_VARIABLE] === String(process.ppid);

/** A message of ours; undefined: a handler's own, or none. */
export function readMessage(message: unknown): FromWorker | ToWorker | undefined {
  if (typeof message !== "object" || message === null || !("memq" in message)) return undefined;
  return message as FromWorker | ToWorker;
}
