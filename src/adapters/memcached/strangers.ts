import type { ServerConfig } from "../../config/config.ts";
import { MemqError } from "../../errors.ts";

/** `host:port`, with brackets where they are needed; what messages call the server. */
export const addressOf = ({ host, port }: ServerConfig): string =>
  host.includes(":") ? `[${host}]:${String(port)}` : `${host}:${String(port)}`;

const SHOWN_BYTES = 60;

interface Stranger {
  readonly says: RegExp;
  readonly likely: string;
}

// Who answers a binary request, or greets, like this; the first that fits.
const STRANGERS: readonly Stranger[] = [
  { says: /^HTTP\/|^<(?:!doctype|html)/i, likely: "a web server" },
  { says: /^SSH-/, likely: "an SSH server" },
  { says: /^[-+](?:ERR|OK|PONG|NOAUTH|DENIED)/, likely: "Redis, or a server of its kind" },
  {
    says: /^CLIENT_ERROR unauthenticated/,
    likely:
      "a memcached started with -Y, which speaks the text protocol only; start it with -S for user names",
  },
  {
    says: /^(?:ERROR|CLIENT_ERROR|SERVER_ERROR)/,
    likely:
      "a memcached started with -B ascii, or a server that speaks its text protocol only, such as MemcacheQ",
  },
  { says: /^220[ -]/, likely: "a mail or FTP server" },
  { says: /^AMQP/, likely: "RabbitMQ" },
  { says: /^[\x15\x16]\x03/, likely: "a server that wants TLS" },
];

// memcached says this in text whatever the protocol, then hangs up.
const TOO_MANY = /^ERROR Too many open connections/;

/** The error for a server whose first bytes are not memcached's binary protocol. */
export function strangerError(server: string, bytes: Buffer): MemqError {
  const text = bytes.toString("latin1", 0, SHOWN_BYTES);
  if (TOO_MANY.test(text)) {
    return new MemqError(
      "BROKER_UNREACHABLE",
      `memcached at ${server} has no connection left (its option -c)`,
    );
  }
  const likely = STRANGERS.find((stranger) => stranger.says.test(text))?.likely;
  const guess = likely === undefined ? "" : `: ${likely}?`;
  return new MemqError("NOT_MEMCACHED", `${server} answered ${JSON.stringify(firstLine(text))}${guess}`);
}

const firstLine = (text: string): string => text.split(/[\r\n]/, 1)[0] ?? "";

// What a failed connection means, by the system's code.
const MEANING: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "no host has that name",
  EAI_AGAIN: "the name service did not answer",
  EHOSTUNREACH: "no way to that host",
  ENETUNREACH: "no way to that network",
  ETIMEDOUT: "it does not answer",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was closed",
};

/** The error for a server that cannot be reached, or was lost; `reason` in words, or from the system's error. */
export function unreachable(server: string, reason: string | Error): MemqError {
  if (typeof reason === "string") {
    return new MemqError("BROKER_UNREACHABLE", `memcached at ${server}: ${reason}`);
  }
  const code = (reason as NodeJS.ErrnoException).code;
  const words = code === undefined ? reason.message : `${MEANING[code] ?? reason.message} (${code})`;
  return new MemqError("BROKER_UNREACHABLE", `memcached at ${server}: ${words}`, { cause: reason });
}
