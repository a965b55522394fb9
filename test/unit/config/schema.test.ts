import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  EVENT_SETTINGS,
  QUEUE_SETTINGS,
  SCHEDULE_SETTINGS,
  type Settings,
} from "../../../src/config/schema.ts";
import { inspect, read } from "./written.ts";

const tables: readonly (readonly [string, Settings])[] = [
  ["queue", QUEUE_SETTINGS],
  ["schedule", SCHEDULE_SETTINGS],
  ["event", EVENT_SETTINGS],
];
const settings = tables.flatMap(([kind, table]) =>
  Object.entries(table).map(([key, setting]) => ({ kind, key, setting })),
);
const root = join(import.meta.dirname, "../../..");
const document = readFileSync(join(root, "docs/config.md"), "utf8");

describe("every setting", () => {
  test.each(settings)("$kind $key has a default that can be written", ({ setting }) => {
    if (setting.default !== undefined) expect(setting.type.read(setting.default)).toHaveProperty("value");
    expect(setting.doc).toMatch(/[^ ]$/);
  });

  test("of a queue is one of the promised ones", () => {
    expect(Object.keys(QUEUE_SETTINGS).join(" ")).toBe(
      "queuename queueip queueport classname handlers store retry timeout concurrency max-size bundle secret " +
        "username password max-runs every cover warn log ping results on-result",
    );
  });
});

describe("docs/config.md", () => {
  const blocks = [...document.matchAll(/```ini\n([^]*?)```/g)].map((match) => match[1] ?? "");

  test("shows files", () => {
    expect(blocks.length).toBeGreaterThan(4);
  });

  test.each(blocks)("shows a file without fault: %s", (block) => {
    expect(
      inspect(block, { env: { CACHE_PASSWORD: "p", PAYMENTS_SECRET: "s" } }).error?.message,
    ).toBeUndefined();
  });

  test("shows the very message of a wrong file", () => {
    const [, shown] = /```text\n(\d problems[^]*?)\n```/.exec(document) ?? [];
    expect(inspect("\nqueueprot = 11211\n\n\ntimeout = 60 sec\n").error?.message).toBe(shown);
  });
});

describe("the config.ini of this repository", () => {
  const text = readFileSync(join(root, "config.ini"), "utf8");

  test("keeps its tasks here, and has a queue for pushes", () => {
    const { queues } = read(text);
    expect(queues.map(({ name, server, className }) => [name, server, className])).toEqual([
      ["default", undefined, "Worker"],
      ["push", undefined, "Worker"],
    ]);
  });

  test("becomes a memcached's by the two lines that it shows", () => {
    const switched = text.replace("; queueip", "queueip").replace("; queueport", "queueport");
    expect(read(switched).queues.map(({ server }) => server)).toEqual([
      { host: "127.0.0.1", port: 11_211 },
      { host: "127.0.0.1", port: 11_211 },
    ]);
  });
});
