/**
 * What cron(8) does, minute by minute, written after its manual and its main loop (virtual time, wildcard jobs,
 * fixed-time jobs) and sharing nothing with the calendar that it judges.
 */

/** One entry of a crontab. */
interface Entry {
  readonly minute: ReadonlySet<number>;
  readonly hour: ReadonlySet<number>;
  readonly day: ReadonlySet<number>;
  readonly month: ReadonlySet<number>;
  readonly weekday: ReadonlySet<number>;
  readonly dayStar: boolean;
  readonly weekdayStar: boolean;
  readonly wild: boolean;
}

/** What a clock on the wall shows, and the minutes since 1970 that a calendar without zones would count to it. */
export interface WallTime {
  readonly day: number;
  readonly month: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly count: number;
}

const MINUTE_MS = 60_000;

function fieldOf(text: string, low: number, high: number): ReadonlySet<number> {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const [range = "", step = "1"] = part.split("/");
    const [from = "", to = from] = range === "*" ? [String(low), String(high)] : range.split("-");
    for (let value = Number(from); value <= Number(to); value += Number(step)) values.add(value);
  }
  return values;
}

function entryOf(expression: string): Entry {
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = expression.split(" ");
  return {
    minute: fieldOf(minute, 0, 59),
    hour: fieldOf(hour, 0, 23),
    day: fieldOf(day, 1, 31),
    month: fieldOf(month, 1, 12),
    weekday: new Set([...fieldOf(weekday, 0, 7)].map((value) => value % 7)),
    dayStar: day.startsWith("*"),
    weekdayStar: weekday.startsWith("*"),
    wild: minute.startsWith("*") || hour.startsWith("*"),
  };
}

function matches(entry: Entry, at: WallTime): boolean {
  const day = entry.day.has(at.day);
  const weekday = entry.weekday.has(at.weekday);
  const isDay = entry.dayStar || entry.weekdayStar ? day && weekday : day || weekday;
  return entry.minute.has(at.minute) && entry.hour.has(at.hour) && entry.month.has(at.month) && isDay;
}

/** The wall of one place. */
export class Wall {
  readonly #format: Intl.DateTimeFormat;
  readonly #seen = new Map<number, WallTime>();

  constructor(zone: string) {
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
    });
  }

  at(ms: number): WallTime {
    let time = this.#seen.get(ms);
    if (time === undefined) this.#seen.set(ms, (time = this.#read(ms)));
    return time;
  }

  #read(ms: number): WallTime {
    const parts = new Map(this.#format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    const [year, month, day] = [parts.get("year") ?? 0, parts.get("month") ?? 0, parts.get("day") ?? 0];
    return asWall(Date.UTC(year, month - 1, day, parts.get("hour"), parts.get("minute")) / MINUTE_MS);
  }
}

/** The wall time that is that many minutes after the beginning of 1970, on a wall without clock changes. */
function asWall(count: number): WallTime {
  const date = new Date(count * MINUTE_MS);
  return {
    count,
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
  };
}

/** The moments between two whole minutes (the first excluded) at which cron starts the entry. */
export function cronRuns(
  expression: string,
  wall: Pick<Wall, "at">,
  span: readonly [number, number],
): number[] {
  const entry = entryOf(expression);
  const runs: number[] = [];
  let virtual = wall.at(span[0]).count;
  for (let ms = span[0] + MINUTE_MS; ms <= span[1]; ms += MINUTE_MS) {
    const now = wall.at(ms);
    const ahead = now.count - virtual;
    let isDue = entry.wild && matches(entry, now); // what is wild goes by what the wall shows
    if (Math.abs(ahead) > 180) {
      virtual = now.count; // a correction: the new time is used at once
      isDue = matches(entry, now);
    }
    // Fixed times wait while the wall is behind, and have their turn for every minute that it has gone on.
    for (; virtual < now.count; virtual++) {
      if (!entry.wild && matches(entry, asWall(virtual + 1))) isDue = true;
    }
    if (isDue) runs.push(ms);
  }
  return runs;
}

/** The changes of the wall against UTC between two moments, each in the minute in which it shows. */
export function changesOf(wall: Wall, [fromMs, untilMs]: readonly [number, number]): number[] {
  const behind = (ms: number): number => wall.at(ms).count - ms / MINUTE_MS;
  const changes: number[] = [];
  for (let ms = fromMs; ms < untilMs; ms += 60 * MINUTE_MS) {
    if (behind(ms) === behind(ms + 60 * MINUTE_MS)) continue;
    let at = ms + MINUTE_MS;
    while (behind(at) === behind(ms)) at += MINUTE_MS;
    changes.push(at);
  }
  return changes;
}
