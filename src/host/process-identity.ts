import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Who a process is, across reboots and containers: a pid alone is reused, and two containers on one
 * volume both have a pid 1.
 */
export interface ProcessIdentity {
  readonly host: string;
  /** Boot id and pid namespace; a pid means something only within the same one. */
  readonly realm: string;
  readonly pid: number;
  /** Start time as the kernel gives it; tells a process from a later one with its pid. */
  readonly startedAt: string;
}

/** "unknown": it lives elsewhere, or this system does not tell. */
export type Liveness = "running" | "stopped" | "dead" | "unknown";

let self: ProcessIdentity | undefined;

/** This process. Read once. */
export function thisProcess(): ProcessIdentity {
  self ??= {
    host: hostname(),
    realm: readRealm(),
    pid: process.pid,
    startedAt: readStat(process.pid)?.startedAt ?? "",
  };
  return self;
}

/** Whether that process still lives; certain only on the same host, boot and pid namespace. */
export function livenessOf(other: ProcessIdentity): Liveness {
  const me = thisProcess();
  if (other.host !== me.host || other.realm !== me.realm) return "unknown";
  const stat = readStat(other.pid);
  if (stat === undefined) return exists(other.pid) ? "unknown" : "dead";
  if (stat.startedAt !== other.startedAt || stat.state === "Z" || stat.state === "X") return "dead";
  return stat.state === "T" || stat.state === "t" ? "stopped" : "running";
}

/** `host:pid`, for people. */
export const nameOf = (who: ProcessIdentity): string => `${who.host}:${String(who.pid)}`;

function readRealm(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot}/${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return ""; // not Linux: host and pid have to do
  }
}

function readStat(pid: number): { readonly state: string; readonly startedAt: string } | undefined {
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, "utf8");
    // The command's name stands in parentheses and may itself hold blanks and parentheses.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", startedAt: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // nothing else proves that it is gone
  }
}
