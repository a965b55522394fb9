/** A moment in local time, to the second: `2030-01-31 08:30:00`. */
export function localTime(ms: number): string {
  const zoneMs = new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms - zoneMs).toISOString().slice(0, 19).replace("T", " ");
}
