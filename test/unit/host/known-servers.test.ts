import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { meetServer } from "../../../src/host/known-servers.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "memq-servers-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test("a server is met once", () => {
  expect(meetServer(folder, "h:1")).toBeDefined();
  expect(meetServer(folder, "h:1")).toBeUndefined();
  expect(meetServer(folder, "h:2")).toBeDefined();
});

test("a meeting that is undone takes place again", () => {
  meetServer(folder, "h:1")?.undo();
  expect(meetServer(folder, "h:1")).toBeDefined();
});

test("a name cannot lead out of the folder", () => {
  expect(meetServer(join(folder, "store"), "../../evil:1")).toBeDefined();
  expect(meetServer(join(folder, "store"), "../../evil:1")).toBeUndefined();
});

test("where nothing can be noted no server is met", () => {
  writeFileSync(join(folder, "file"), "");
  expect(meetServer(join(folder, "file"), "h:1")).toBeUndefined();
});
