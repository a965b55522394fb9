import type { QueueConfig } from "../../config/config.ts";
import { EXIT, MemqError, type ExitCode } from "../../errors.ts";
import type { Memq } from "../../memq.ts";
import type { Broker } from "../../ports/broker.ts";
import type { BulkCount } from "../../ports/bulks.ts";
import { systemClock } from "../../ports/clock.ts";
import { readPlace } from "../../publish/bulk-place.ts";
import { formatDuration } from "../../task/duration.ts";
import { duration } from "../option-values.ts";
import { askQueues, chooseQueues } from "../queues.ts";
import type { Session } from "../shell.ts";

// Whoever waits for a bulk waits for minutes.
const DEFAULT_WAIT_MS = 3_600_000;
const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 2_000;
// Counting a great bulk must not slow its runs down: it gets a tenth of the time.
const SHARE_OF_COUNTING = 10;
const CLEAR_LINE = "\r\u001b[2K";

/** `memq wait NAME`: until a bulk is worked off; one exit code for all of it. */
export async function wait(session: Session): Promise<number> {
  const name = readName(session);
  const endsAtMs = systemClock.now() + (duration(session.parsed, "for") ?? DEFAULT_WAIT_MS);
  const { memq, queues } = chooseQueues(session);
  const { broker, queue } = await queueOf(memq, queues, name);
  const last = await watch(session, { broker, name, endsAtMs });
  const stand = standOf(last);
  const { place: _place, ...counts } = last;
  if (session.parsed.flag("json")) {
    session.print(JSON.stringify({ bulk: name, queue: queue.name, ...counts, published: stand.isPublished }));
  } else session.print(standText(name, last));
  if (!stand.isOver) session.complain(whyNot(name, last));
  return exitOf(last);
}

function readName({ parsed }: Session): string {
  const [name, ...rest] = parsed.words;
  if (name === undefined) throw new MemqError("USAGE", "name the bulk to wait for");
  if (rest.length > 0) throw new MemqError("USAGE", "takes one bulk");
  return name;
}

interface Found {
  readonly broker: Broker;
  readonly queue: QueueConfig;
}

/** The queue that has the bulk. @throws MemqError BULK_UNKNOWN, USAGE when several have it */
async function queueOf(memq: Memq, queues: readonly QueueConfig[], name: string): Promise<Found> {
  const { answers, failures } = await askQueues(memq, queues, (broker) => broker.bulks.count(name));
  const [first, second] = answers.filter(({ value }) => value !== undefined);
  if (first !== undefined && second !== undefined) {
    const both = `${first.queue.name} and ${second.queue.name}`;
    throw new MemqError("USAGE", `bulk "${name}" is in the queues ${both}: say which with --queue`);
  }
  if (first !== undefined) return { queue: first.queue, broker: await memq.broker(first.queue.name) };
  const [failure] = failures;
  if (failure !== undefined) throw failure.error;
  const names = queues.map((queue) => queue.name).join(", ");
  throw new MemqError(
    "BULK_UNKNOWN",
    `no bulk "${name}" in ${queues.length === 1 ? "queue" : "queues"} ${names}`,
  );
}

interface Watched {
  readonly broker: Broker;
  readonly name: string;
  readonly endsAtMs: number;
}

/** Looks until the bulk is over or the time is; answers what was seen last. */
async function watch({ io, parsed }: Session, { broker, name, endsAtMs }: Watched): Promise<BulkCount> {
  const isLive = io.stderr.isTTY === true && !parsed.flag("quiet");
  for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_LOOK_MS)) {
    const startedAtMs = performance.now();
    const count = await broker.bulks.count(name);
    if (count === undefined) throw new MemqError("BULK_UNKNOWN", `bulk "${name}" is gone`);
    if (isLive) io.stderr.write(`${CLEAR_LINE}${standText(name, count)}`);
    const nowMs = systemClock.now();
    if (standOf(count).isOver || nowMs >= endsAtMs) {
      if (isLive) io.stderr.write(CLEAR_LINE);
      return count;
    }
    const restMs = Math.max(pauseMs, (performance.now() - startedAtMs) * SHARE_OF_COUNTING);
    await systemClock.until(Math.min(endsAtMs, nowMs + restMs));
  }
}

interface Stand {
  /** All of its input is. */
  readonly isPublished: boolean;
  readonly isOver: boolean;
}

function standOf({ place, left }: BulkCount): Stand {
  const at = readPlace(place);
  const isPublished = at !== undefined && at.by === undefined;
  return { isPublished, isOver: isPublished && left === 0 };
}

/** `bulk users: 4000 done, 2 dead, 998 left`. */
function standText(name: string, { done, dead, left, removed }: BulkCount): string {
  const counts = [`${String(done)} done`, `${String(dead)} dead`, `${String(left)} left`];
  if (removed > 0) counts.push(`${String(removed)} removed`);
  return `bulk ${name}: ${counts.join(", ")}`;
}

function whyNot(name: string, { place, left }: BulkCount): string {
  const at = readPlace(place);
  if (at?.by === undefined) return `the time is over; ${String(left)} tasks are left`;
  const since = formatDuration(Math.max(0, systemClock.now() - at.at));
  return `the time is over; bulk ${name} is published up to line ${String(at.line)}, ${since} ago, not to its end`;
}

function exitOf(count: BulkCount): ExitCode {
  if (!standOf(count).isOver) return EXIT.tryLater;
  return count.dead > 0 ? EXIT.deadLetters : EXIT.ok;
}
