const MIB = 1_024 ** 2;

/**
 * Told what memory workers take before they have run anything; says once that it is more than they may: each task
 * would cost a process. `mostBytes` undefined: they may take any.
 */
export function mindIdleMemory(
  mostBytes: number | undefined,
  complain: (line: string) => void,
): (bytes: number) => void {
  let isSaid = false;
  return (bytes) => {
    if (mostBytes === undefined || bytes <= mostBytes || isSaid) return;
    isSaid = true;
    const takes = `a worker takes ${String(Math.ceil(bytes / MIB))}M before its first task`;
    complain(`${takes}, more than --max-memory: each ends after one task or so, and another takes its place`);
  };
}
