import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Ledger } from "../../../src/host/ledger.ts";
import type { EndedWork } from "../../../src/host/ledger-entry.ts";

let folder: string;
let ledger: Ledger;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "memq-ledger-"));
  ledger = new Ledger(folder);
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const NOW = Date.UTC(2026, 6, 1);
const DAY = 86_400_000;
const ended = (wishes: Partial<EndedWork> = {}): EndedWork => ({
  kind: "ended",
  run: "host:1:a",
  queue: "push",
  at: NOW,
  host: "host",
  pid: 1,
  startedAt: NOW - 1_000,
  workedMs: 900,
  done: 3,
  retried: 0,
  dead: 0,
  left: 0,
  ended: "empty",
  ...wishes,
});

test("what is appended is read, in its order", () => {
  for (let done = 0; done < 5; done++) ledger.append(ended({ done }));
  expect(ledger.read(NOW)).toEqual([0, 1, 2, 3, 4].map((done) => ({ v: 1, ...ended({ done }) })));
  expect(ledger.readLast()).toEqual(ledger.read(NOW));
});

test("a ledger that was never written is empty", () => {
  expect([ledger.read(NOW), ledger.readLast()]).toEqual([[], []]);
});

test("a torn line, and one of a newer memq, are passed over", () => {
  ledger.append(ended());
  appendFileSync(join(folder, "ledger.0"), '{"v":1,"kind":"ended","run":"x\n{"v":2}\nnull\n[]\n\n');
  ledger.append(ended({ run: "host:2:b" }));
  expect(ledger.read(NOW).map(({ run }) => run)).toEqual(["host:1:a", "host:2:b"]);
});

test("each entry is one line, whatever a driver had to say", () => {
  ledger.append(ended({ failure: `${"x".repeat(5_000)}\n\u2028` }));
  const text = readFileSync(join(folder, "ledger.0"), "utf8");
  expect(text.split("\n")).toHaveLength(2);
  expect(text.length).toBeLessThan(1_000);
});

test("it is bounded in number: 20,000 entries take less than 2 MB, and the latest are there", () => {
  for (let done = 0; done < 20_000; done++) ledger.append(ended({ done, at: NOW + done }));
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  expect(bytes).toBeLessThan(2_000_000);
  const read = ledger.read(NOW);
  expect(read.length).toBeGreaterThan(3_000);
  expect(read.at(-1)).toMatchObject({ done: 19_999 });
  expect(ledger.readLast().at(-1)).toMatchObject({ done: 19_999 });
  expect(ledger.readLast().length).toBeLessThan(300);
});

test("it is bounded in age: what is older than 90 days is not read, and goes with the next full file", () => {
  ledger.append(ended({ at: NOW - 91 * DAY, run: "old" }));
  utimesSync(join(folder, "ledger.0"), NOW / 1_000 - 91 * 86_400, NOW / 1_000 - 91 * 86_400);
  expect(ledger.read(NOW)).toEqual([]);
  appendFileSync(join(folder, "ledger.1"), `${"x".repeat(300_000)}\n`);
  ledger.append(ended());
  expect(readdirSync(folder).sort()).toEqual(["ledger.1", "ledger.2"]);
});
