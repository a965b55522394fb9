// 1 KB = 1,024 bytes, as memcached's -I and -m count, and as `ulimit` and `ls -h` do.
const UNIT_BYTES: Readonly<Record<string, number>> = { B: 1, K: 1_024, M: 1_024 ** 2, G: 1_024 ** 3 };
const SIZE = /^(\d{1,15}(?:\.\d{1,6})?) ?(?:(B)|([KMG])B?)$/i;

/** Bytes of a size such as `900KB`, `1.5MB`, `512M` or `100B` (1 KB = 1,024 bytes); undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text);
  if (match === null) return undefined;
  const unit = (match[2] ?? match[3] ?? "").toUpperCase();
  const bytes = Math.round(Number(match[1]) * (UNIT_BYTES[unit] ?? NaN));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
