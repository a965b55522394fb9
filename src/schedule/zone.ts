/** A time zone: how far its clocks are ahead of UTC. */
export interface Zone {
  /** As the time zone database calls it. */
  readonly name: string;
  /** At a moment in ms since 1970; in ms, negative west of Greenwich. */
  offsetMs(atMs: number): number;
}

const MINUTE_MS = 60_000;

/** The zone of that name; undefined: this machine's. */
export const zoneOf = (name: string | undefined): Zone =>
  name === undefined ? machineZone() : namedZone(name);

/** Date knows the machine's zone, and asking it is a hundred times cheaper than asking Intl. */
const machineZone = (): Zone => ({
  name: new Intl.DateTimeFormat().resolvedOptions().timeZone,
  offsetMs: (atMs) => 0 - new Date(atMs).getTimezoneOffset() * MINUTE_MS,
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

/** A moment as clocks in the zone show it, for people: `2026-03-29 03:00:00 +02:00`. */
export function zonedText(atMs: number, zone: Zone): string {
  const offsetMs = zone.offsetMs(atMs);
  const local = new Date(atMs + offsetMs).toISOString().slice(0, 19).replace("T", " ");
  const minutes = Math.round(Math.abs(offsetMs) / MINUTE_MS);
  const [hour, minute] = [Math.floor(minutes / 60), minutes % 60].map((one) => String(one).padStart(2, "0"));
  return `${local} ${offsetMs < 0 ? "-" : "+"}${hour ?? ""}:${minute ?? ""}`;
}
