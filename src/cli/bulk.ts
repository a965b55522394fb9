import { createReadStream } from "node:fs";
import { EXIT, MemqError, ERRORS, type ErrorCode } from "../errors.ts";
import { MAX_BATCH } from "../ports/broker.ts";
import type { PublishTo } from "../memq.ts";
import type { BulkItem, BulkOutcome } from "../publish/publisher.ts";
import type { Call } from "../task/task.ts";
import { readBulk, type BulkLine } from "./bulk-lines.ts";
import { choice, wholeNumber } from "./option-values.ts";
import type { Session } from "./shell.ts";

// More than a screenful of ids helps nobody; the summary says how many there are.
const MOST_IDS = 1_000;
const MOST_FAULTS = 20;

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

async function* repeat(item: BulkItem, count: number): AsyncGenerator<BulkLine> {
  await Promise.resolve();
  for (let line = 1; line <= count; line++) yield { line, text: "", item };
}

async function publishLines(
  session: Session,
  to: PublishTo,
  lines: AsyncIterable<BulkLine>,
): Promise<number> {
  const count = new BulkCount(session);
  for await (const batch of inBatches(lines)) {
    await publishBatch(session, to, { batch, count });
    if (count.cutShort) break;
  }
  return count.end();
}

async function publishBatch(
  session: Session,
  to: PublishTo,
  { batch, count }: { readonly batch: readonly BulkLine[]; readonly count: BulkCount },
): Promise<void> {
  const items = batch.flatMap((line) => ("item" in line ? [line.item] : []));
  const report = session.parsed.flag("dry-run")
    ? await (await import("./dry-run.ts")).judgeItems(session, items, to)
    : (await session.open().publishMany(items, to)).outcomes;
  let next = 0;
  for (const line of batch) {
    if ("fault" in line) count.refused(line.line, line.fault.code, line.fault.message);
    else count.add(line.line, report[next++]);
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
  const stream = path === "-" ? io.stdin : createReadStream(path);
  try {
    for await (const piece of stream) yield piece as Buffer;
  } catch (cause) {
    throw new MemqError("USAGE", `--from ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Counts outcomes, and prints what a person or a script wants to know of them. */
class BulkCount {
  readonly #session: Session;
  readonly #ids: string[] = [];
  readonly #count = { kept: 0, duplicate: 0, refused: 0 };
  readonly #codes = new Set<ErrorCode>();

  constructor(session: Session) {
    this.#session = session;
  }

  /** The queue is full: what comes later would be refused too. */
  get cutShort(): boolean {
    return [...this.#codes].some((code) => ERRORS[code].exit === EXIT.tryLater);
  }

  add(line: number, outcome: BulkOutcome | undefined): void {
    if (outcome === undefined) return;
    if (outcome.kind === "refused") {
      this.refused(line, outcome.code, outcome.reason);
      return;
    }
    this.#count[outcome.kind]++;
    if (this.#ids.length <= MOST_IDS) this.#ids.push(outcome.kind === "kept" ? outcome.id : outcome.of);
  }

  refused(line: number, code: ErrorCode, reason: string): void {
    this.#count.refused++;
    this.#codes.add(code);
    if (this.#count.refused <= MOST_FAULTS)
      this.#session.complain(`line ${String(line)}: ${reason} [${code}]`);
  }

  /** Prints the result; the exit code. */
  end(): number {
    const { kept, duplicate, refused } = this.#count;
    const summary = `${String(kept)} kept, ${String(duplicate)} duplicate, ${String(refused)} refused`;
    if (refused > MOST_FAULTS)
      this.#session.complain(`… ${String(refused - MOST_FAULTS)} more lines refused`);
    if (this.#session.parsed.flag("json")) this.#session.print(JSON.stringify(this.#count));
    else if (this.#ids.length > MOST_IDS || refused > 0) this.#session.say(summary);
    if (!this.#session.parsed.flag("json") && this.#ids.length <= MOST_IDS) this.#printIds();
    if (this.cutShort) return EXIT.tryLater;
    return refused > 0 ? EXIT.data : EXIT.ok;
  }

  #printIds(): void {
    if (this.#ids.length > 0 && !this.#session.parsed.flag("dry-run"))
      this.#session.print(this.#ids.join("\n"));
  }
}
