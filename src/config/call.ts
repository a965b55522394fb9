import { MemqError } from "../errors.ts";
import { readCall } from "../task/call-text.ts";
import type { ValueType } from "./reading.ts";
import { TEXT } from "./value.ts";

/** A task as one writes it for publish-task; the text itself, once it can be read. */
export const CALL: ValueType<string> = {
  name: "task",
  read: (text) => {
    try {
      readCall(text);
      return TEXT.read(text);
    } catch (error) {
      if (!(error instanceof MemqError)) throw error;
      return { fault: `is not a task: ${error.message}` };
    }
  },
};
