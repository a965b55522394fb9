import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { MemqError } from "../errors.ts";
import type { PublishTo } from "../memq.ts";
import { MAX_BATCH } from "../ports/broker.ts";
import type { Call } from "../task/task.ts";
import { BulkCount } from "./bulk-count.ts";
import { readBulk, type BulkLine } from "./bulk-lines.ts";
import { choice, wholeNumber } from "./option-values.ts";
import type { Session } from "./shell.ts";

/** Publishes one task per line of --from. */
export async function publishFrom(session: Session, to: PublishTo): Promise<number> {
  const { parsed } = session;
  const [method, ...rest] = parsed.words;
  if (rest.length > 0) throw new MemqError("USAGE", "with --from there are no arguments beside the method");
  const format = choice(parsed, "format", ["lines", "ndjson"] as const) ?? "lines";
  if (format === "lines" && method === undefined) throw new MemqError("CALL_INVALID", "no method was named");
  return publishLines(session, to, readBulk(openSource(session), format, method));
}

/** Publishes the same call --count times. */
export async function publishCount(session: Session, call: Call, to: PublishTo): Promise<number> {
  const count = wholeNumber(session.parsed, "count", 1) ?? 1;
  return publishLines(session, to, repeat({ ...call }, count));
}

async function* repeat(item: Call, count: number): AsyncGenerator<BulkLine> {
  await Promise.resolve();
  for (let line = 1; line <= count; line++) yield { line, item };
}

/** What was published before something went wrong is told all the same: half a bulk says which half. */
async function publishLines(
  session: Session,
  to: PublishTo,
  lines: AsyncIterable<BulkLine>,
): Promise<number> {
  const count = new BulkCount(session);
  try {
    for await (const batch of inBatches(lines)) {
      await publishBatch(session, to, { batch, count });
      if (count.isCutShort) break;
    }
  } catch (error) {
    count.tellBroken();
    throw error;
  }
  count.tell();
  return count.exit;
}

async function publishBatch(
  session: Session,
  to: PublishTo,
  { batch, count }: { readonly batch: readonly BulkLine[]; readonly count: BulkCount },
): Promise<void> {
  const items = batch.flatMap((line) => ("item" in line ? [line.item] : []));
  const outcomes = session.parsed.flag("dry-run")
    ? (await import("./dry-run.ts")).judgeItems(session, items, { to, from: count.total })
    : (await session.open().publishMany(items, to)).outcomes;
  let next = 0;
  for (const line of batch) {
    if ("fault" in line) count.refused(line.line, line.fault.code, line.fault.message);
    else count.add(line.line, outcomes[next++]);
  }
}

async function* inBatches(lines: AsyncIterable<BulkLine>): AsyncGenerator<readonly BulkLine[]> {
  let batch: BulkLine[] = [];
  for await (const line of lines) {
    if (batch.push(line) < MAX_BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function* openSource({ parsed, io }: Session): AsyncGenerator<Buffer | string> {
  const path = parsed.text("from") ?? "-";
  const stream = path === "-" ? io.stdin : createReadStream(resolve(io.cwd(), path));
  try {
    for await (const piece of stream) yield piece as Buffer;
  } catch (cause) {
    throw new MemqError("USAGE", `--from ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
