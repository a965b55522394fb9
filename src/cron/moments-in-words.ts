const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** Moments in local time, for people: `today at 23:50; tomorrow at 00:00 and 00:10`. In ascending order. */
export function momentsInWords(moments: readonly number[], nowMs: number): string {
  const days = new Map<string, string[]>();
  for (const ms of moments) {
    const day = dayInWords(ms, nowMs);
    days.set(day, [...(days.get(day) ?? []), clockTime(ms)]);
  }
  return [...days]
    .map(([day, times]) => `${day} at ${times.join(", ").replace(/, ([^,]*)$/, " and $1")}`)
    .join("; ");
}

function dayInWords(ms: number, nowMs: number): string {
  const [date, now] = [new Date(ms), new Date(nowMs)];
  if (date.toDateString() === now.toDateString()) return "today";
  const tomorrow = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1);
  if (date.toDateString() === tomorrow.toDateString()) return "tomorrow";
  const digits = [date.getFullYear(), twoDigits(date.getMonth() + 1), twoDigits(date.getDate())];
  return `${WEEKDAYS[date.getDay()] ?? ""} ${digits.join("-")}`;
}

function clockTime(ms: number): string {
  const date = new Date(ms);
  return `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;
}

const twoDigits = (value: number): string => String(value).padStart(2, "0");
