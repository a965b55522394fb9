import { MemqError } from "../errors.ts";
import type { PublishTo } from "../memq.ts";
import { MAX_BATCH } from "../ports/broker.ts";
import type { BulkItem, BulkOutcome } from "../publish/publisher.ts";
import { MAX_BATCH_CHARS } from "../publish/weight.ts";
import type { Call } from "../task/task.ts";
import { BulkCount } from "./bulk-count.ts";
import { ErrorsFile } from "./bulk-errors.ts";
import { openInput, type BulkInput } from "./bulk-input.ts";
import { readBulk, type BulkLine, type Reading } from "./bulk-lines.ts";
import { BulkProgress } from "./bulk-progress.ts";
import { NamedBulk } from "./named-bulk.ts";
import { choice, wholeNumber } from "./option-values.ts";
import type { BulkNoun } from "./refused-lines.ts";
import { firstSignal, type FirstSignal } from "./signals.ts";
import type { Session } from "./shell.ts";

/** Publishes one task per line of --from. */
export async function publishFrom(session: Session, to: PublishTo): Promise<number> {
  const reading = readingOf(session);
  const { parsed } = session;
  const name = parsed.text("bulk");
  const named = name === undefined ? undefined : await NamedBulk.open(session, to, { name, reading });
  const path = parsed.text("errors");
  const errors = path === undefined ? undefined : new ErrorsFile(path, session, (named?.from.line ?? 0) > 0);
  const input = openInput(session);
  const bytes = named === undefined ? input.bytes : named.rest(input.bytes);
  try {
    return await publishLines(
      { session, to, noun: "line", named, errors, share: input.share },
      readBulk(bytes, reading, named?.from),
    );
  } finally {
    errors?.close();
  }
}

function readingOf({ parsed }: Session): Reading {
  const [method, ...rest] = parsed.words;
  if (rest.length > 0) throw new MemqError("USAGE", "with --from there are no arguments beside the method");
  const format = choice(parsed, "format", ["lines", "ndjson"] as const) ?? "lines";
  if (format === "lines" && method === undefined) throw new MemqError("CALL_INVALID", "no method was named");
  return { format, method };
}

/** Publishes the same call --count times. */
export async function publishCount(session: Session, call: Call, to: PublishTo): Promise<number> {
  const count = wholeNumber(session.parsed, "count", 1) ?? 1;
  let read = 0;
  const lines = repeat({ ...call }, count, (line) => (read = line));
  const share = (): number => read / count;
  return publishLines({ session, to, noun: "task", named: undefined, errors: undefined, share }, lines);
}

async function* repeat(
  item: Call,
  count: number,
  onRead: (line: number) => void,
): AsyncGenerator<readonly BulkLine[]> {
  await Promise.resolve();
  for (let line = 1; line <= count; line++) {
    onRead(line);
    yield [{ line, end: 0, item }];
  }
}

/** How a bulk is published, and what is told of it. */
interface Way {
  readonly session: Session;
  readonly to: PublishTo;
  readonly noun: BulkNoun;
  readonly named: NamedBulk | undefined;
  readonly errors: ErrorsFile | undefined;
  readonly share: BulkInput["share"];
}

/** What was published before something went wrong is told all the same: half a bulk says which half. */
async function publishLines(way: Way, lines: AsyncIterable<readonly BulkLine[]>): Promise<number> {
  const { session, noun, named, errors } = way;
  const progress = new BulkProgress(session.io, session.parsed.flag("quiet"));
  const count = new BulkCount(session, {
    noun,
    named,
    errors,
    clear: () => {
      progress.clear();
    },
  });
  const signals = firstSignal();
  try {
    for await (const batch of untilSignal(inBatches(lines), signals)) {
      await publishBatch(way, batch, count);
      progress.show({ lines: count.total, share: way.share(), refused: count.refusedCount });
      if (count.isCutShort) break;
    }
    if (!count.isCutShort && signals.signal === undefined) await named?.end();
  } catch (error) {
    progress.clear();
    count.tellBroken();
    throw error;
  } finally {
    signals.release();
  }
  progress.clear();
  if (signals.signal !== undefined) return count.tellStopped(signals.signal);
  count.tell();
  return count.exit;
}

/** Batches until a signal comes: what is being published then is waited for, what is being read is not. */
async function* untilSignal<T>(batches: AsyncGenerator<T>, signals: FirstSignal): AsyncGenerator<T> {
  while (signals.signal === undefined) {
    const next = await signals.before(batches.next());
    if (next === undefined || next.done === true) return;
    yield next.value;
  }
}

async function publishBatch(way: Way, batch: readonly BulkLine[], count: BulkCount): Promise<void> {
  const items = batch.flatMap((line) => ("item" in line ? [line.item] : []));
  const outcomes = await outcomesOf(way, { items, batch, from: count.total });
  let next = 0;
  for (const line of batch) {
    if ("fault" in line) count.refuse(line, line.fault.code, line.fault.message);
    else count.add(line, outcomes[next++]);
  }
  count.write();
}

async function outcomesOf(
  { session, to, named }: Way,
  {
    items,
    batch,
    from,
  }: { readonly items: readonly BulkItem[]; readonly batch: readonly BulkLine[]; readonly from: number },
): Promise<readonly BulkOutcome[]> {
  if (named !== undefined) return named.publish(items, batch);
  if (!session.parsed.flag("dry-run")) return (await session.openQueue().publishMany(items, to)).outcomes;
  return (await import("./dry-run.ts")).judgeItems(session, items, { to, from });
}

/** Lines that are published together: few enough, and not too much to hold. */
async function* inBatches(lines: AsyncIterable<readonly BulkLine[]>): AsyncGenerator<readonly BulkLine[]> {
  let batch: BulkLine[] = [];
  let bytes = 0;
  for await (const some of lines) {
    for (const line of some) {
      bytes += line.raw?.length ?? 0;
      if (batch.push(line) < MAX_BATCH && bytes < MAX_BATCH_CHARS) continue;
      yield batch;
      batch = [];
      bytes = 0;
    }
  }
  if (batch.length > 0) yield batch;
}
