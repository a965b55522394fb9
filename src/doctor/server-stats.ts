/** A statistic as a number; undefined: this server does not tell it. */
export function numberOf(stats: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = stats.get(name);
  if (text === undefined || text === "") return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}

/** A size for people: `64 MB`, `1.5 GB`; as memcached counts, 1 KB is 1 024 bytes. */
export function sizeText(bytes: number): string {
  const [unit, name] = bytes >= GB ? [GB, "GB"] : bytes >= MB ? [MB, "MB"] : [KB, "KB"];
  const amount = bytes / unit;
  return `${amount >= 10 ? String(Math.round(amount)) : String(Math.round(amount * 10) / 10)} ${name}`;
}

const KB = 1_024;
const MB = KB * 1_024;
const GB = MB * 1_024;

/** A share of a whole, for people: `83 %`. */
export const percentText = (part: number, whole: number): string =>
  `${String(Math.floor((100 * part) / whole))} %`;
