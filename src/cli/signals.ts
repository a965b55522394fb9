/** A stop that the user or the system asked for. */
export interface Signals {
  readonly stop: AbortSignal;
  release(): void;
}

/** The first SIGTERM or SIGINT asks the run to end; the second ends the process at once. */
export function stopOnSignals(say: (line: string) => void): Signals {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      release();
      process.kill(process.pid, signal); // the shell then sees which signal it was
      return;
    }
    say(`runjobs: ${signal}: finishing what runs, handing back the rest (once more to end at once)`);
    controller.abort();
  };
  const release = (): void => {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return { stop: controller.signal, release };
}

/** Resolves with the first SIGTERM or SIGINT; before a second one ends the process, `onAgain` is told. */
export function awaitSignal(onAgain: (signal: NodeJS.Signals) => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isFirst = true;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (!isFirst) {
        onAgain(signal);
        process.off("SIGTERM", onSignal).off("SIGINT", onSignal);
        process.kill(process.pid, signal);
      }
      isFirst = false;
      resolve(signal);
    };
    process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  });
}
