/** A time zone: how far its clocks are ahead of UTC. */
export interface Zone {
  /** As the time zone database calls it. */
  readonly name: string;
  /** At a moment in ms since 1970; in ms, negative west of Greenwich. */
  offsetMs(atMs: number): number;
}

/** A change of a zone's offset: the first moment of the new one, and both. */
export interface Shift {
  readonly atMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
}

const MINUTE_MS = 60_000;

/** The zone of that name; undefined: this machine's. */
export const zoneOf = (name: string | undefined): Zone => (name === undefined ? machineZone() : namedZone(name));

/** Date knows the machine's zone, and asking it is a hundred times cheaper than asking Intl. */
const machineZone = (): Zone => ({
  name: new Intl.DateTimeFormat().resolvedOptions().timeZone,
  offsetMs: (atMs) => -new Date(atMs).getTimezoneOffset() * MINUTE_MS,
});

function namedZone(name: string): Zone {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
  return { name, offsetMs: (atMs) => offsetIn(format.formatToParts(atMs)) };
}

/** `GMT`, `GMT+05:30`, `GMT-00:44:30`. */
function offsetIn(parts: readonly Intl.DateTimeFormatPart[]): number {
  const text = parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
  const match = /([+-])(\d+):(\d+)(?::(\d+))?$/.exec(text);
  if (match === null) return 0;
  const [, sign, hours, minutes, seconds = "0"] = match;
  const ms = (Number(hours) * 60 + Number(minutes)) * MINUTE_MS + Number(seconds) * 1_000;
  return sign === "-" ? -ms : ms;
}

/** The change between two moments, `untilMs` included; undefined when there is none. More than one is never near. */
export function shiftBetween(zone: Zone, afterMs: number, untilMs: number): Shift | undefined {
  const beforeMs = zone.offsetMs(afterMs);
  const offsetMs = zone.offsetMs(untilMs);
  if (beforeMs === offsetMs) return undefined;
  let [low, high] = [Math.floor(afterMs / MINUTE_MS), Math.ceil(untilMs / MINUTE_MS)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (zone.offsetMs(middle * MINUTE_MS) === beforeMs) low = middle;
    else high = middle;
  }
  return { atMs: high * MINUTE_MS, beforeMs, afterMs: offsetMs };
}
