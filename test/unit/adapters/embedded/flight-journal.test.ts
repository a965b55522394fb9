import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FlightJournal, readFlights } from "../../../../src/adapters/embedded/flight-journal.ts";

/** How much of a write the disk takes. */
const disk = vi.hoisted(() => ({ takesBytes: Infinity }));

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const writeSync = (file: number, bytes: Buffer, from: number, length: number, at: number): number =>
    fs.writeSync(file, bytes, from, Math.min(length, disk.takesBytes), at);
  return { ...fs, writeSync };
});

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "memq-flights-"));
  path = join(folder, "abcd-1");
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** The place of a start that must have been noted. */
function noted(journal: FlightJournal, row: number): number {
  const place = journal.note({ row, claimNumber: 1 });
  if (place === undefined) throw new Error(`not noted: ${String(row)}`);
  return place;
}

test("what was noted is read back by another", () => {
  const journal = new FlightJournal(path);
  const flights = [
    { row: 1, claimNumber: 1 },
    { row: 2 ** 40 + 5, claimNumber: 7 },
    { row: Number.MAX_SAFE_INTEGER, claimNumber: 3_000_000_000 },
  ];
  const stretch = { row: 2 ** 40 + 6, count: 64 };
  for (const starts of [...flights, stretch]) journal.note(starts);
  expect(readFlights(path)).toEqual({ started: flights, maybe: [stretch] });
  journal.close();
});

test("a place is used again when it is free, and no other", () => {
  const journal = new FlightJournal(path);
  const places = [1, 2, 3].map((row) => noted(journal, row));
  journal.free(places[1] ?? 0);
  journal.note({ row: 4, claimNumber: 1 });
  journal.note({ row: 5, claimNumber: 1 });
  expect(readFlights(path)?.started.map(({ row }) => row)).toEqual([1, 4, 3, 5]);
  for (let row = 6; row < 2_000; row++) journal.free(noted(journal, row));
  expect(statSync(path).size).toBeLessThan(100);
  journal.close();
});

test("a start of which the disk took a part is not noted, and its place is free", () => {
  const journal = new FlightJournal(path);
  expect(noted(journal, 1)).toBe(0);
  disk.takesBytes = 10;
  expect(journal.note({ row: 2, claimNumber: 1 })).toBeUndefined();
  disk.takesBytes = Infinity;
  expect(readFlights(path)?.started.map(({ row }) => row)).toEqual([1]);
  expect(noted(journal, 3)).toBe(1);
  expect(readFlights(path)?.started.map(({ row }) => row)).toEqual([1, 3]);
  journal.close();
});

test("no journal means that nothing was started", () => {
  expect(readFlights(path)).toEqual({ started: [], maybe: [] });
});

test("torn and foreign bytes are no starts", () => {
  const journal = new FlightJournal(path);
  journal.note({ row: 1, claimNumber: 1 });
  journal.note({ row: 2, claimNumber: 1 });
  const bytes = readFileSync(path);
  journal.close();
  writeFileSync(path, Buffer.concat([bytes.subarray(0, 16), Buffer.alloc(16), bytes.subarray(16, 27)]));
  expect(readFlights(path)).toEqual({ started: [{ row: 1, claimNumber: 1 }], maybe: [] });
  writeFileSync(path, "x".repeat(160));
  expect(readFlights(path)).toEqual({ started: [], maybe: [] });
});

test("what is no file tells nothing", () => {
  expect(readFlights(folder)).toBeUndefined();
});

test("closing removes the file", () => {
  const journal = new FlightJournal(path);
  journal.note({ row: 1, claimNumber: 1 });
  journal.close();
  expect(existsSync(path)).toBe(false);
});

test("a link in its place is not followed", () => {
  const precious = join(folder, "precious");
  writeFileSync(precious, "untouched");
  symlinkSync(precious, path);
  expect(() => new FlightJournal(path)).toThrow("EEXIST");
  expect(readFileSync(precious, "utf8")).toBe("untouched");
});
