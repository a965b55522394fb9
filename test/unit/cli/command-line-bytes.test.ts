import { expect, test } from "vitest";
import { assertUnaltered } from "../../../src/cli/command-line-bytes.ts";

const latin1 = Buffer.from("publish-task\0say\0caf\xe9", "latin1");

test("an argument that was not UTF-8 is refused, for its text is another one by now", () => {
  expect(() => {
    assertUnaltered(["say", "caf\ufffd"], () => latin1);
  }).toThrow(/argument "caf\ufffd" is not UTF-8/);
});

test("the sign that stands for such bytes may be typed", () => {
  const typed = "what is \ufffd?";
  assertUnaltered(["say", typed], () => Buffer.from(`publish-task\0say\0${typed}`));
});

test("nobody looks where nothing was altered, and nothing is known where the system does not tell", () => {
  assertUnaltered(["say", "café"], () => {
    throw new Error("it looked");
  });
  assertUnaltered(["say", "caf\ufffd"], () => undefined);
});
