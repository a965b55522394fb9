import { assertKnownNames } from "../task/known-names.ts";
import { assertRunOptions, type RunOptions } from "./run-options.ts";

/** What a worker takes: of a run's options those that make sense for one that stays. */
export interface WorkOptions extends Pick<
  RunOptions,
  | "queues"
  | "maxTasks"
  | "maxMemoryBytes"
  | "concurrency"
  | "timeout"
  | "stop"
  | "grace"
  | "listener"
  | "say"
  | "log"
  | "ownsProcess"
> {
  /** Aborted: claim no more, hand back what is not started, and end when what runs has ended, however long that takes. */
  readonly leave?: AbortSignal;
  /** Told once, when the handlers of a queue are loaded and it is worked on. */
  readonly onReady?: () => void;
}

const OPTION_NAMES: Readonly<Record<keyof WorkOptions, true>> = {
  queues: true,
  maxTasks: true,
  maxMemoryBytes: true,
  concurrency: true,
  timeout: true,
  stop: true,
  grace: true,
  listener: true,
  say: true,
  log: true,
  ownsProcess: true,
  leave: true,
  onReady: true,
};
const WORK_OPTIONS: ReadonlySet<string> = new Set(Object.keys(OPTION_NAMES));

/** The options of its own, and those of the runs that it is made of. @throws MemqError USAGE as `assertRunOptions`. */
export function splitWorkOptions(options: WorkOptions): {
  readonly care: Pick<WorkOptions, "leave" | "onReady">;
  readonly run: RunOptions;
} {
  assertKnownNames(options, WORK_OPTIONS, "option");
  const { leave, onReady, ...run } = options;
  assertRunOptions(run);
  return { care: { ...(leave && { leave }), ...(onReady && { onReady }) }, run };
}
