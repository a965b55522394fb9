const STREAMS = ["stdout", "stderr"] as const;

/**
 * From now to the end of the process, what handlers write to a pipe that nobody reads any more is nobody's error:
 * a task whose work is done would be run again because of it. A stream is opened when a handler first asks for it,
 * as without us: to open one takes a command 4 ms.
 */
export function forgiveLostReader(): void {
  for (const name of STREAMS) forgiveOn(name);
}

function forgiveOn(name: (typeof STREAMS)[number]): void {
  const real = Object.getOwnPropertyDescriptor(process, name);
  if (real?.get === undefined) return; // somebody put a stream of their own there
  const open = real.get.bind(process) as () => NodeJS.WriteStream;
  let opened: NodeJS.WriteStream | undefined;
  Object.defineProperty(process, name, { ...real, get: () => (opened ??= open().on("error", forgive)) });
}

function forgive(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error; // as where nobody listens
}
