/** A stop that the user or the system asked for. */
export interface Signals {
  readonly stop: AbortSignal;
  release(): void;
}

/** The first SIGTERM, SIGINT or SIGHUP asks the run to end; the second ends the process at once. */
export function stopOnSignals(say: (line: string) => void): Signals {
  const controller = new AbortController();
  const release = onStopSignals((signal) => {
    if (controller.signal.aborted) {
      release();
      process.kill(process.pid, signal); // the shell then sees which signal it was
      return;
    }
    say(`runjobs: ${signal}: finishing what runs, handing back the rest (once more to end at once)`);
    controller.abort();
  });
  return { stop: controller.signal, release };
}

/**
 * Resolves with the first SIGTERM, SIGINT or SIGHUP; before a second one ends the process, `onAgain` is told.
 */
export function awaitSignal(onAgain: (signal: NodeJS.Signals) => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isFirst = true;
    const release = onStopSignals((signal) => {
      if (!isFirst) {
        onAgain(signal);
        release();
        process.kill(process.pid, signal);
      }
      isFirst = false;
      resolve(signal);
    });
  });
}

/** The first SIGTERM, SIGINT or SIGHUP, while something is under way that it need not wait for. */
export interface FirstSignal {
  /** Undefined until one came. */
  readonly signal: NodeJS.Signals | undefined;
  /** What `work` resolves with; undefined when a signal comes first. */
  before<T>(work: Promise<T>): Promise<T | undefined>;
  release(): void;
}

/** Waits for the first SIGTERM, SIGINT or SIGHUP without ending the process; the second one ends it at once. */
export function firstSignal(): FirstSignal {
  let signal: NodeJS.Signals | undefined;
  let wake = (): void => undefined;
  const release = onStopSignals((caught) => {
    signal = caught;
    release(); // the next one finds the system's own way
    wake();
  });
  return {
    get signal() {
      return signal;
    },
    // No race with one promise that lives as long as the bulk: it would hold the outcome of every race.
    before: (work) =>
      new Promise((resolve, reject) => {
        wake = () => {
          resolve(undefined);
        };
        work.then(resolve, reject);
      }),
    release,
  };
}

const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** Minds the signals that ask to end, until what is returned is called. */
function onStopSignals(onSignal: (signal: NodeJS.Signals) => void): () => void {
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  };
}
