import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LogFile } from "../../../src/telemetry/log-file.ts";
import { logLine, logText, timeText } from "../../../src/telemetry/log-line.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "memq-log-"));
  path = join(folder, "memq.log");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test("lines are appended to what is there", () => {
  for (const line of ["one", "two"]) {
    const log = new LogFile(path);
    log.write(line);
    log.close();
  }
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
});

test("nothing is made before there is something to say", () => {
  const log = new LogFile(path);
  log.close();
  expect(() => readFileSync(path)).toThrow("ENOENT");
});

test("a log that a rotation moved away is begun anew", async () => {
  const log = new LogFile(path);
  log.write("one");
  renameSync(path, `${path}.1`);
  await vi.waitFor(
    () => {
      log.write("more");
      expect(readFileSync(path, "utf8")).toBe("more\n");
    },
    { timeout: 3_000, interval: 100 },
  );
  log.close();
});

test("a log that cannot be written fails nobody, and says why", () => {
  const log = new LogFile(join(folder, "gone", "memq.log"));
  log.write("one");
  log.write("two");
  log.close();
  expect(String(log.fault)).toContain("ENOENT");
});

test("a line says when, which process, and what, on one line", () => {
  vi.stubEnv("TZ", "Europe/Berlin");
  const line = logLine("push 1 save failed: a\nb\u001b[2J\u2028c", Date.UTC(2026, 6, 1, 8, 30, 0, 123));
  expect(line).toBe(`2026-07-01T10:30:00.123+02:00 [${String(process.pid)}] push 1 save failed: a b [2J c`);
  expect(logLine("x".repeat(5_000), 0).length).toBeLessThan(1_100);
});

test.each([
  ["UTC", "2026-01-01T00:00:00.000+00:00"],
  ["Asia/Kolkata", "2026-01-01T05:30:00.000+05:30"],
  ["America/St_Johns", "2025-12-31T20:30:00.000-03:30"],
])("times are local, with their distance from UTC: %s", (zone, text) => {
  vi.stubEnv("TZ", zone);
  expect(timeText(Date.UTC(2026, 0, 1))).toBe(text);
});

test("every event has its words", () => {
  const task = { id: "7f3k", method: "save", args: [], bornAt: 0 };
  const about = { queue: "push", task };
  const error = new Error("no");
  expect(logText({ kind: "done", ...about, ms: 12, result: undefined })).toBe("push 7f3k save done in 12ms");
  expect(logText({ kind: "dead", ...about, attempt: 2, error })).toBe(
    "push 7f3k save is dead (attempts: 2): no",
  );
  expect(logText({ kind: "retry", ...about, attempt: 1, at: 0, error })).toMatch(
    /^push 7f3k save failed \(attempt 1, again at 19.*\): no$/,
  );
  expect(logText({ kind: "handedBack", ...about, why: "stopped" })).toBe(
    "push 7f3k save handed back: stopped",
  );
  expect(logText({ kind: "loss", queue: "push", loss: { at: 0, cause: "restart" } })).toBe(
    "push an unknown number of tasks, perhaps none, were lost (restart)",
  );
});
