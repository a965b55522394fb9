import type { ServerExamination } from "../ports/examination.ts";
import { formatDuration } from "../task/duration.ts";
import { numberOf } from "./server-stats.ts";
import { ok, warn, type Verdict } from "./verdict.ts";

// The server counts seconds with a timer of one second: its time is up to two behind.
const STEP_MS = 2_000;
// Less is what networks and lazy timers do.
const TOLERATED_MS = 5_000;

/** Judges how far the server's clock is from this host's. */
export function judgeClock({ stats, clock }: ServerExamination): Verdict | undefined {
  const seconds = numberOf(stats.general, "time");
  if (seconds === undefined) return undefined;
  // Its time lies somewhere between these two, seen from here.
  const [earliest, latest] = [seconds * 1_000 - clock.answeredAt, seconds * 1_000 + STEP_MS - clock.askedAt];
  const awayMs = earliest > 0 ? earliest : Math.min(0, latest);
  if (Math.abs(awayMs) <= TOLERATED_MS) return ok("clock", "its clock agrees with this machine's");
  const side = awayMs > 0 ? "ahead of" : "behind";
  return warn("clock", {
    says: `its clock is ${formatDuration(Math.abs(awayMs))} ${side} this machine's; delays are counted by the server's`,
    fix: "let both machines set their clocks by NTP (timedatectl set-ntp true)",
  });
}
