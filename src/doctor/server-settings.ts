import { EXIT } from "../errors.ts";
import { numberOf, sizeText } from "./server-stats.ts";
import { fail, ok, warn, type Verdict } from "./verdict.ts";

type Settings = ReadonlyMap<string, string>;

/** What the configuration wants of the server, the most demanding queue counts. */
export interface Demands {
  readonly maxTaskBytes: number;
  /** A user name is configured. */
  readonly signsIn: boolean;
}

/** Judges how a memcached was started, by its `stats settings`. A setting that it does not tell is passed over. */
export const judgeSettings = (settings: Settings, demands: Demands): readonly Verdict[] =>
  [
    evictions(settings),
    cas(settings),
    protocol(settings),
    itemSize(settings, demands),
    automove(settings),
    access(settings),
    signIn(settings, demands),
  ].flatMap((verdict) => verdict ?? []);

function evictions(settings: Settings): Verdict | undefined {
  const value = settings.get("evictions");
  if (value === undefined) return undefined;
  if (value === "off") return ok("evictions-off", "it keeps what it accepted when memory is full (-M)");
  return warn("evictions-off", {
    says: "it throws tasks away, without a word, when its memory is full",
    fix: "start it with -M: then publishers are told that the queue is full (exit 75)",
  });
}

function cas(settings: Settings): Verdict | undefined {
  const value = settings.get("cas_enabled");
  if (value === undefined) return undefined;
  if (value === "yes") return ok("cas", "it compares versions (cas)");
  return fail("cas", EXIT.config, {
    says: "it does not compare versions (cas), and no queue can be kept without that",
    fix: "start it without -C (or -o no_cas)",
  });
}

function protocol(settings: Settings): Verdict | undefined {
  const value = settings.get("binding_protocol");
  if (value === undefined) return undefined;
  if (value !== "ascii") return ok("protocol", `it speaks the binary protocol (${value})`);
  return fail("protocol", EXIT.unreachable, {
    says: "it speaks its text protocol only",
    fix: "start it without -B ascii",
  });
}

// Key, header and signature of a task around its content.
const AROUND_TASK_BYTES = 1_024;

function itemSize(settings: Settings, { maxTaskBytes }: Demands): Verdict | undefined {
  const largest = numberOf(settings, "item_size_max");
  if (largest === undefined) return undefined;
  const says = `it takes items of up to ${sizeText(largest)}`;
  if (largest >= maxTaskBytes + AROUND_TASK_BYTES)
    return ok("item-size", `${says}, max-size is ${sizeText(maxTaskBytes)}`);
  return warn("item-size", {
    says: `${says}, and max-size = ${sizeText(maxTaskBytes)} lets larger tasks through, which it will refuse`,
    fix: `set max-size to at most ${sizeText(Math.max(1, largest - AROUND_TASK_BYTES))}, or start it with a larger -I`,
  });
}

// With 30, the default, memory came free only after minutes; with 3 within seconds.
const LONGEST_WINDOW = 10;

function automove(settings: Settings): Verdict | undefined {
  const fix = "start it with -o slab_automove_window=3";
  if (settings.get("slab_reassign") === "no" || settings.get("slab_automove") === "0") {
    const says =
      "memory that tasks of one size took is never given to those of another (slab_automove is off)";
    return warn("automove", { says, fix });
  }
  const window = numberOf(settings, "slab_automove_window");
  if (window === undefined) return undefined;
  if (window <= LONGEST_WINDOW) return ok("automove", `slab_automove_window is ${String(window)}`);
  const says = `slab_automove_window is ${String(window)}: after the sizes of tasks changed it may refuse them for minutes, though it has room`;
  return warn("automove", { says, fix });
}

function access(settings: Settings): Verdict | undefined {
  const inter = settings.get("inter");
  const socket = settings.get("domain_socket") ?? NONE;
  if (inter === undefined || socket !== NONE) return undefined;
  const isGuarded = settings.get("auth_enabled_sasl") === "yes";
  const open = inter.split(",").filter((address) => !isPrivate(address.trim()));
  if (open.length === 0) return ok("bind", `it listens on ${inter} only`);
  const where = open.some(isEverywhere) ? "on every interface" : `on ${open.join(", ")}`;
  if (isGuarded) return ok("bind", `it listens ${where}, and asks for a password`);
  return warn("bind", {
    says: `it listens ${where}, and whoever reaches it can read, add and delete tasks`,
    fix: "bind it to loopback or a private network (-l 127.0.0.1), keep others out with a firewall, and give the queue a secret",
  });
}

const NONE = "NULL";
const EVERYWHERE: readonly string[] = ["", NONE, "0.0.0.0", "::", "*"];
const isEverywhere = (address: string): boolean => EVERYWHERE.includes(address);

// Loopback, the networks of RFC 1918, link-local and unique local addresses; names are not looked up.
const PRIVATE =
  /^\[?(?:127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|::1(?:\]|$)|f[cd][0-9a-f]{2}:|fe80:|localhost(?::|$))/i;
const isPrivate = (address: string): boolean => !isEverywhere(address) && PRIVATE.test(address);

function signIn(settings: Settings, { signsIn }: Demands): Verdict | undefined {
  const value = settings.get("auth_enabled_sasl");
  if (value === undefined) return undefined;
  if (value === "yes")
    return ok("sign-in", signsIn ? "it took the user name and the password" : "it asks for a password");
  if (!signsIn) return undefined;
  return warn("sign-in", {
    says: "a user name is configured, but it lets everybody in",
    fix: "start it with -S, or remove username and password",
  });
}
