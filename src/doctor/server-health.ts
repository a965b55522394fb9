import { EXIT } from "../errors.ts";
import { formatDuration } from "../task/duration.ts";
import { numberOf, percentText, sizeText } from "./server-stats.ts";
import { classesOf } from "./slab-class.ts";
import { fail, ok, warn, type Verdict } from "./verdict.ts";
import type { ServerStats } from "../ports/examination.ts";

/** Judges how a memcached is doing, by its `stats`. A figure that it does not tell is passed over. */
export const judgeHealth = (stats: ServerStats): readonly Verdict[] =>
  [
    version(stats),
    uptime(stats),
    memory(stats),
    evicted(stats),
    reassigned(stats),
    refused(stats),
    flushed(stats),
    connections(stats),
    turnedAway(stats),
  ].flatMap((verdict) => verdict ?? []);

const OLDEST = [1, 6] as const;

function version({ general }: ServerStats): Verdict | undefined {
  const text = general.get("version");
  if (text === undefined) return undefined;
  const [major = 0, minor = 0] = text.split(".").map((part) => parseInt(part, 10));
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  if (!isOld) return ok("version", `memcached ${text}`);
  return warn("version", {
    says: `memcached ${text}: versions before 1.6 are not tried`,
    fix: "install memcached 1.6 or later",
  });
}

function uptime({ general }: ServerStats): Verdict | undefined {
  const seconds = numberOf(general, "uptime");
  if (seconds === undefined) return undefined;
  return ok("uptime", `it runs for ${formatDuration(seconds * 1_000)}; what was queued before is gone`);
}

const NEARLY_FULL = 0.8;
const FULL = 0.95;
const MORE_MEMORY = "let runs drain the queue (memq status), or start it with more memory (-m)";

function memory({ general, settings, slabs }: ServerStats): Verdict | undefined {
  const bytes = numberOf(general, "bytes");
  const limit = numberOf(general, "limit_maxbytes");
  // An item takes more than it has bytes: a server can be full with 83 % of them.
  const taken = classesOf(slabs).reduce((sum, { used, chunkBytes }) => sum + used * chunkBytes, 0);
  const used = bytes === undefined ? undefined : Math.max(bytes, taken);
  if (used === undefined || limit === undefined || limit === 0) return undefined;
  const says = `${sizeText(used)} of ${sizeText(limit)} memory are used (${percentText(used, limit)})`;
  if (used < NEARLY_FULL * limit) return ok("memory", says);
  const next = settings.get("evictions") === "off" ? "publishers are refused" : "tasks are thrown away";
  const complaint = { says: `${says}; when it is full, ${next}`, fix: MORE_MEMORY };
  return used < FULL * limit ? warn("memory", complaint) : fail("memory", EXIT.tryLater, complaint);
}

function evicted({ general }: ServerStats): Verdict | undefined {
  const count = numberOf(general, "evictions");
  if (count === undefined) return undefined;
  if (count === 0) return ok("evicted", "nothing was thrown away since it was started");
  return fail("evicted", EXIT.loss, {
    says: `it threw ${String(count)} items away to make room; tasks may have been among them`,
    fix: "start it with -M and enough memory, for queues alone; what was lost has to be published again",
  });
}

const REASSIGNED = ["slab_reassign_evictions_nomem", "slab_reassign_busy_deletes"];

function reassigned({ general }: ServerStats): Verdict | undefined {
  const counts = REASSIGNED.flatMap((name) => numberOf(general, name) ?? []);
  if (counts.length === 0) return undefined;
  const count = counts.reduce((sum, one) => sum + one, 0);
  if (count === 0) return ok("reassigned", "no item was destroyed to move memory");
  return fail("reassigned", EXIT.loss, {
    says: `it destroyed ${String(count)} items to move memory between sizes; tasks may have been among them`,
    fix: "never send it `slabs reassign`; give it more memory; what was lost has to be published again",
  });
}

function refused({ general, items }: ServerStats): Verdict | undefined {
  const byClass = [...items].filter(([name]) => name.endsWith(":outofmemory"));
  const counts = [...byClass.map(([, count]) => Number(count)), numberOf(general, "store_no_memory") ?? 0];
  // Both count the same refusals; an old server has only the first.
  const count = Math.max(
    counts.slice(0, -1).reduce((sum, one) => sum + one, 0),
    counts.at(-1) ?? 0,
  );
  if (count === 0) return ok("refused", "no write was refused for want of memory");
  return warn("refused", {
    says: `writes that it refused for want of memory since it was started: ${String(count)}; publishers were told`,
    fix: MORE_MEMORY,
  });
}

function flushed({ general }: ServerStats): Verdict | undefined {
  const count = numberOf(general, "cmd_flush");
  if (count === undefined) return undefined;
  if (count === 0) return ok("flushed", "nobody emptied it");
  return warn("flushed", {
    says: `it was emptied since it was started (flush_all: ${String(count)}); queues of that time are gone`,
    fix: "use a memcached of its own for queues, not the site's cache; -F forbids flush_all",
  });
}

const MANY = 0.8;

function connections({ general, settings }: ServerStats): Verdict | undefined {
  const most = numberOf(general, "max_connections") ?? numberOf(settings, "maxconns");
  const open = numberOf(general, "curr_connections");
  if (most === undefined || open === undefined || most === 0) return undefined;
  const says = `${String(open)} of ${String(most)} connections are in use`;
  if (open < MANY * most) return ok("connections", says);
  return warn("connections", {
    says,
    fix: "start it with a larger -c, or find out who keeps connections open",
  });
}

function turnedAway({ general }: ServerStats): Verdict | undefined {
  const rejected = numberOf(general, "rejected_connections");
  const paused = numberOf(general, "listen_disabled_num");
  if (rejected === undefined && paused === undefined) return undefined;
  // A server that refuses by pausing counts only the pauses.
  const count = Math.max(rejected ?? 0, paused ?? 0);
  if (count === 0) return ok("turned-away", "no connection was turned away");
  return warn("turned-away", {
    says: `it turned connections away ${String(count)} times since it was started: it had none left`,
    fix: "start it with a larger -c",
  });
}
