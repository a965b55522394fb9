import { keepFor } from "../calls/answer.ts";
import { EXIT } from "../errors.ts";
import type { PublishTo } from "../memq.ts";
import type { Json } from "../task/task.ts";
import { progressText } from "./progress-text.ts";
import type { Session } from "./shell.ts";
import type { Call } from "../task/task.ts";

/** Publishes a call and waits for its result: that alone is printed, the id is said. */
export async function callAndWait(
  session: Session,
  call: Call,
  { wait, ...to }: PublishTo & { readonly wait: number },
): Promise<number> {
  const { parsed, complain } = session;
  const memq = session.openQueue();
  const { class: className } = call;
  const how = { ...(className !== undefined && { class: className }), ...to };
  const id = await memq.publish(call.method, call.args, { ...how, keepResult: keepFor({ wait }) });
  if (!parsed.flag("json")) complain(id);
  const result = await memq.result(id, {
    wait,
    ...(to.queue !== undefined && { queue: to.queue }),
    ...(parsed.flag("verbose") && {
      onProgress: (progress) => {
        complain(`${id}: ${progressText(progress)}`);
      },
    }),
  });
  if (parsed.flag("json")) session.print(JSON.stringify({ id, result }));
  else if (result !== undefined) session.print(resultText(result));
  return EXIT.ok;
}

// Half a character is none in UTF-8: only JSON can write it.
const HALF_CHARACTER = /\p{Surrogate}/u;

const resultText = (result: Json): string =>
  typeof result === "string" && !HALF_CHARACTER.test(result) ? result : JSON.stringify(result);
