import { inspect } from "node:util";
import { describeError, EXIT, MemqError } from "../errors.ts";
import { Dispatcher, type Ending } from "../run/dispatcher.ts";
import { guardExit } from "../run/exit-guard.ts";
import { catchStrays } from "../run/strays.ts";
import type { QueueConfig } from "../config/config.ts";
import type { Memq } from "../memq.ts";
import type { Claim } from "../ports/broker.ts";
import { plainCodec } from "../task/codec.ts";
import type { Call } from "../task/task.ts";
import { mindLateStrays } from "./late-strays.ts";
import { span } from "./option-values.ts";
import { describeThrown, eventLine } from "./run-lines.ts";
import type { Session } from "./shell.ts";

/** Runs a call on the spot, with the arguments a run would give it; prints what it returned. */
export async function callNow(session: Session, call: Call): Promise<number> {
  const memq = session.openQueue();
  const queue = memq.queueConfig(session.parsed.text("queue"));
  const claim = claimOf(call, queue);
  process.chdir(memq.config.folder);
  mindLateStrays(session);
  const { ending, strays } = await guarded(session, queue, () => dispatched(session, memq, claim));
  if (ending.kind === "threw") {
    session.complain(
      `publish-task: ${call.method} failed: ${describeThrown(ending.thrown, session.parsed.flag("verbose"))}`,
    );
    return EXIT.deadLetters;
  }
  const asJson = session.parsed.flag("json");
  if (asJson || ending.value !== undefined) session.print(valueText(ending.value, asJson));
  return strays === 0 ? EXIT.ok : EXIT.deadLetters;
}

/** Through the codec, so that the handler gets what it would get from the queue. */
function claimOf(call: Call, { maxTaskBytes }: QueueConfig): Claim {
  const codec = plainCodec(maxTaskBytes);
  const opened = codec.open("now", Date.now(), codec.seal("now", codec.encode(call)));
  if (opened.kind !== "task") throw new MemqError("BUG", "a call could not be read back");
  return { task: opened.task, receipt: "", attempt: 1, alone: false };
}

/** As in a run: the handler can neither exit the process nor crash it with a stray error, which is told. */
async function guarded(
  session: Session,
  { name: queue }: QueueConfig,
  work: () => Promise<Ending>,
): Promise<{ readonly ending: Ending; readonly strays: number }> {
  let strays = 0;
  const restoreExit = guardExit();
  const releaseStrays = catchStrays([
    {
      queue,
      tell: (event) => {
        strays++;
        const line = eventLine(event, session.parsed.flag("verbose"), Date.now());
        if (line !== undefined) session.complain(line);
      },
    },
  ]);
  try {
    const ending = await work();
    return { ending, strays };
  } finally {
    releaseStrays();
    restoreExit();
  }
}

async function dispatched(session: Session, memq: Memq, claim: Claim): Promise<Ending> {
  const queue = memq.queueConfig(session.parsed.text("queue"));
  const dispatcher = new Dispatcher(await memq.registry(queue.name), {
    queue: queue.name,
    say: session.complain,
  });
  const target = dispatcher.target(claim.task.class ?? queue.className, claim.task.method);
  if (typeof target === "string") throw new MemqError("HANDLER_MISSING", target);
  const timeoutMs = span(session.parsed, "timeout") ?? target.settings.timeoutMs ?? queue.timeoutMs;
  const ending = await dispatcher.dispatch(claim, target, timeoutMs).ending;
  await dispatcher.close((error) => {
    session.complain(describeThrown(error, false));
  });
  return ending;
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
