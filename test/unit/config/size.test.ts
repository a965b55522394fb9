import { expect, test } from "vitest";
import { parseSize } from "../../../src/config/size.ts";

test.each([
  ["100B", 100],
  ["1KB", 1_024],
  ["900KB", 921_600],
  ["900 KB", 921_600],
  ["1.5MB", 1_572_864],
  ["1mb", 1_048_576],
  ["512M", 536_870_912],
  ["2G", 2_147_483_648],
  ["0B", 0],
])("%s is %d bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each([
  "",
  "900",
  "KB",
  "-1KB",
  "1e3KB",
  "1 000KB",
  "1TB",
  "1KBx",
  "0x10B",
  "1.KB",
  "999999999999999G",
  " 1KB",
])("%j is no size", (text) => {
  expect(parseSize(text)).toBeUndefined();
});
