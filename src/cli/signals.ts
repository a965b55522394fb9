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

const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** Minds the signals that ask to end, until what is returned is called. */
function onStopSignals(onSignal: (signal: NodeJS.Signals) => void): () => void {
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  };
}
