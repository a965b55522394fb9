import type { ClientRequest, RequestOptions } from "node:http";

/** A monitor that is told when a run begins and how it ended. It can neither delay nor fail the run. */
export interface Ping {
  /** The run begins to work. Said once, however often it is called. */
  start(): void;
  /** It is over; `summary` goes with a failure. Resolves when the monitor has answered, or after 5 s. */
  end(ending: { readonly isFine: boolean; readonly summary: string }): Promise<void>;
  /** What went wrong, for people; undefined: nothing. */
  readonly fault: string | undefined;
}

// All that a run spends on it at its end. A monitor that is down must not hold a slot of cron.
const PATIENCE_MS = 5_000;
// Monitors keep no more.
const MOST_BODY = 10_000;

/** A ping of a URL by the conventions of healthchecks.io: URL/start, URL, URL/fail. */
export function pingOf(url: string): Ping {
  let started: Promise<string | undefined> | undefined;
  let fault: string | undefined;
  const over = new AbortController();
  const send = (suffix: string, body?: string): Promise<string | undefined> =>
    request(pathed(url, suffix), { signal: over.signal, ...(body !== undefined && { body }) });
  return {
    start: () => {
      started ??= send("/start");
    },
    end: async ({ isFine, summary }) => {
      const patience = setTimeout(() => {
        over.abort();
      }, PATIENCE_MS);
      // In order: a start that arrives last would look like a run that never ends.
      fault = await started;
      fault = (await (isFine ? send("") : send("/fail", summary.slice(0, MOST_BODY)))) ?? fault;
      clearTimeout(patience);
    },
    get fault() {
      return fault;
    },
  };
}

/** The address with something after its path; what stands behind a `?` stays there. */
function pathed(url: string, suffix: string): URL {
  const address = new URL(url);
  if (suffix !== "") address.pathname = address.pathname.replace(/\/+$/, "") + suffix;
  return address;
}

interface Sent {
  readonly signal: AbortSignal;
  readonly body?: string;
}

/** Resolves with what went wrong; undefined when it was well received. Never rejects. */
async function request(address: URL, { signal, body }: Sent): Promise<string | undefined> {
  const options = { signal, method: body === undefined ? "GET" : "POST", agent: false as const };
  try {
    const sent = await begin(address, options);
    return await new Promise((resolve) => {
      sent.on("error", (error) => {
        resolve(signal.aborted ? "no answer in time" : error.message);
      });
      sent.on("response", (response) => {
        response.resume(); // what it says is of no interest
        const status = response.statusCode ?? 0;
        resolve(status >= 200 && status < 300 ? undefined : `it answered ${String(status)}`);
      });
      // The run may go on and end as if nobody had been told.
      sent.on("socket", (socket) => socket.unref());
      sent.end(body);
    });
  } catch (error) {
    return String(error);
  }
}

/** The client of the address's protocol is loaded when it is needed: most queues tell nobody. */
async function begin(address: URL, options: RequestOptions): Promise<ClientRequest> {
  const { request: open } =
    address.protocol === "https:" ? await import("node:https") : await import("node:http");
  return open(address, options);
}
