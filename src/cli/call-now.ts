import { inspect } from "node:util";
import { describeError, EXIT, MemqError } from "../errors.ts";
import { Dispatcher } from "../run/dispatcher.ts";
import { plainCodec } from "../task/codec.ts";
import type { Call } from "../task/task.ts";
import { span } from "./option-values.ts";
import { describeThrown } from "./run-lines.ts";
import type { Session } from "./shell.ts";

/** Runs a call on the spot, with the arguments a run would give it; prints what it returned. */
export async function callNow(session: Session, call: Call): Promise<number> {
  const memq = session.open();
  const queue = memq.queueConfig(session.parsed.text("queue"));
  // Through the codec, so that the handler gets what it would get from the queue.
  const codec = plainCodec(queue.maxTaskBytes);
  const opened = codec.open("now", Date.now(), codec.seal("now", codec.encode(call)));
  if (opened.kind !== "task") throw new MemqError("BUG", "a call could not be read back");
  process.chdir(memq.config.folder);
  const dispatcher = new Dispatcher(await memq.registry(queue.name), queue.name, session.complain);
  const target = dispatcher.target(call.class ?? queue.className, call.method);
  if (typeof target === "string") throw new MemqError("HANDLER_UNKNOWN", target);
  const claim = { task: opened.task, receipt: "", attempt: 1, alone: false };
  const timeoutMs = span(session.parsed, "timeout") ?? target.settings.timeoutMs ?? queue.timeoutMs;
  const ending = await dispatcher.dispatch(claim, target, timeoutMs).ending;
  await dispatcher.close((error) => {
    session.complain(describeThrown(error, false));
  });
  if (ending.kind === "threw") {
    session.complain(
      `publish-task: ${call.method} failed: ${describeThrown(ending.thrown, session.parsed.flag("verbose"))}`,
    );
    return EXIT.deadLetters;
  }
  if (ending.value !== undefined) session.print(valueText(ending.value, session.parsed.flag("json")));
  return EXIT.ok;
}

/** A returned value as a script wants it: a text is itself, all else is shown. */
function valueText(value: unknown, asJson: boolean): string {
  if (asJson) return jsonText(value);
  return typeof value === "string" ? value : inspect(value, { depth: 8 });
}

function jsonText(value: unknown): string {
  try {
    const text: unknown = JSON.stringify(value); // undefined for a function
    return typeof text === "string" ? text : "null";
  } catch (cause) {
    throw new MemqError("ARGS_INVALID", `the returned value is no JSON: ${describeError(cause)}`, { cause });
  }
}
