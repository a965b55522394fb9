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
  /** Told once, when it has tried to begin with each queue: of those whose handlers it cannot use. */
  readonly onBegun?: (lacks: readonly string[]) => void;
  /** Told once, when it claims no more and ends as soon as what runs has ended. */
  readonly onLeaving?: () => void;
  /** Told of an attempt that may be its task's last, with its timeout in ms; what it answers is called when it has ended. */
  readonly atRisk?: (queue: string, id: string, timeoutMs: number) => () => void;
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
  onBegun: true,
  onLeaving: true,
  atRisk: true,
};
const WORK_OPTIONS: ReadonlySet<string> = new Set(Object.keys(OPTION_NAMES));

/** What a worker takes besides what its runs do. */
type Own = Pick<WorkOptions, "leave" | "onReady" | "onBegun" | "onLeaving" | "atRisk">;

/** The options of its own, and those of the runs that it is made of. @throws MemqError USAGE as `assertRunOptions`. */
export function splitWorkOptions(options: WorkOptions): { readonly own: Own; readonly run: RunOptions } {
  assertKnownNames(options, WORK_OPTIONS, "option");
  const { leave, onReady, onBegun, onLeaving, atRisk, ...run } = options;
  assertRunOptions(run);
  const own = {
    ...(leave && { leave }),
    ...(onReady && { onReady }),
    ...(onBegun && { onBegun }),
    ...(onLeaving && { onLeaving }),
    ...(atRisk && { atRisk }),
  };
  return { own, run };
}
