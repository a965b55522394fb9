/** The processor's time that this process has taken, in ms: what others take on a busy machine is not in it. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
