import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Obituaries } from "../../../src/host/obituaries.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "memq-obituaries-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});
const files = (): string[] => readdirSync(join(folder, "workers", "obituaries"));

test("a death is known for the task that it concerns, and the latest one counts", () => {
  const obituaries = new Obituaries(folder);
  obituaries.write({ queue: "push", id: "../7" }, { how: "exit 3", stderr: "" });
  obituaries.write({ queue: "push", id: "../7" }, { how: "SIGSEGV", stderr: "fell over" });
  expect(obituaries.read({ queue: "push", id: "../7" })).toEqual({ how: "SIGSEGV", stderr: "fell over" });
  expect(obituaries.read({ queue: "mail", id: "../7" })).toBeUndefined();
});

test("they are few, small, and not kept for ever", () => {
  const obituaries = new Obituaries(folder);
  const stderr = "x".repeat(100_000);
  obituaries.write({ queue: "push", id: "old" }, { how: "SIGKILL", stderr });
  const [old = ""] = files();
  expect(statSync(join(folder, "workers", "obituaries", old)).size).toBeLessThan(3_000);
  utimesSync(join(folder, "workers", "obituaries", old), 1, 1);
  for (let id = 0; id < 300; id++)
    obituaries.write({ queue: "push", id: String(id) }, { how: "SIGKILL", stderr });
  expect(files().length).toBeLessThanOrEqual(200);
  expect(obituaries.read({ queue: "push", id: "old" })).toBeUndefined();
  expect(obituaries.read({ queue: "push", id: "299" })).toBeDefined();
});
