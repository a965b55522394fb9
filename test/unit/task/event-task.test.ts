import { expect, test } from "vitest";
import { eventTaskText, readEventTask } from "../../../src/task/event-task.ts";

test.each([
  ["closeOrder @default after 20m", { method: "closeOrder", queue: "default", delayMs: 1_200_000 }],
  ["closeOrder", { method: "closeOrder" }],
  ["Shop.closeOrder after 1h30m", { class: "Shop", method: "closeOrder", delayMs: 5_400_000 }],
  ["send @eu.push:2", { method: "send", queue: "eu.push:2" }],
  ["at after 1d2h3m4s5ms", { method: "at", delayMs: 93_784_005 }],
  ["now after 0s", { method: "now", delayMs: 0 }],
])("a task of an event is written and read as %s", (text, task) => {
  expect(readEventTask(text)).toEqual(task);
  expect(eventTaskText(task)).toBe(text);
});
