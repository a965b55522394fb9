import { resolve } from "node:path";
import { HTTP_URL } from "../config/address.ts";
import { describeError, MemqError } from "../errors.ts";
import type { Memq } from "../memq.ts";
import type { CareOptions } from "../run/chronicle.ts";
import type { InstalledEvery } from "./installed-every.ts";
import { choice, wholeNumber } from "./option-values.ts";
import type { Options, Parsed } from "./options.ts";
import type { Session } from "./shell.ts";

/** How runs get on with each other and with those who watch. */
export const CARE_OPTIONS: Options = {
  "max-runs": { value: "N", doc: "at most N runs of a queue at a time on this machine (default 4)" },
  "when-full": {
    value: "skip|wait|fail",
    doc: "what a surplus run does: end well (default), wait for a slot, exit with 75",
  },
  cover: { doc: "wait for what falls due before cron starts the next run, and then exit" },
  ping: { value: "URL", doc: "tell a monitor: URL/start, then URL or URL/fail" },
  log: { value: "FILE", doc: "append a line per task to FILE, and what handlers log" },
};

/** @throws MemqError USAGE */
export async function careOptions(
  session: Session,
  memq: Memq,
  queues: readonly string[],
): Promise<CareOptions> {
  const { parsed } = session;
  const maxRuns = wholeNumber(parsed, "max-runs", 1);
  const whenFull = choice(parsed, "when-full", ["skip", "wait", "fail"] as const);
  const ping = pingUrl(parsed);
  const log = logPath(session);
  return {
    ...(maxRuns !== undefined && { maxRuns }),
    ...(whenFull !== undefined && { whenFull }),
    ...(ping !== undefined && { ping }),
    ...(log !== undefined && { log }),
    ...(await coverOptions(session, memq, queues)),
  };
}

/** Tells a monitor of a run that ends with an error. */
export async function pingFailure(url: string, error: unknown): Promise<void> {
  const { pingOf } = await import("../telemetry/ping.ts");
  await pingOf(url).end({ isFine: false, summary: describeError(error) });
}

/** The address of --ping. @throws MemqError USAGE */
export function pingUrl(parsed: Parsed): string | undefined {
  const text = parsed.text("ping");
  if (text === undefined) return undefined;
  const reading = HTTP_URL.read(text);
  if ("value" in reading) return reading.value;
  throw new MemqError("USAGE", `--ping ${JSON.stringify(text)} ${reading.fault}`);
}

/** As any path of a command line it starts where the command was started, not where the run works. */
function logPath({ parsed, io }: Session): string | undefined {
  const text = parsed.text("log");
  if (text === "") throw new MemqError("USAGE", "--log has no name");
  return text === undefined ? undefined : resolve(io.cwd(), text);
}

/** Cron's next tick is known from `every`, else from the lines that `memq crontab install` wrote. */
async function coverOptions(
  { io, parsed }: Session,
  memq: Memq,
  queues: readonly string[],
): Promise<CareOptions> {
  let table: Promise<InstalledEvery> | undefined;
  const every = async (queue: string): Promise<readonly string[]> => {
    const { installedEvery } = await import("./installed-every.ts");
    return (await (table ??= installedEvery(io.env, memq.config.file)))(queue);
  };
  if (!parsed.flag("cover")) return { every };
  const unknown = queues.filter((name) => memq.queueConfig(name).every === undefined);
  const lines = await Promise.all(unknown.map(every));
  const blind = unknown.filter((_, nth) => lines[nth]?.length === 0);
  if (blind.length === 0) return { cover: true, every };
  throw new MemqError(
    "USAGE",
    `--cover needs to know when the next run starts: set every (e.g. every = 10m) for ${blind.join(", ")}`,
  );
}
