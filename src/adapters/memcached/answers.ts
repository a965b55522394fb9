import { MemqError } from "../../errors.ts";
import { STATUS, type Packet } from "./packets.ts";
import type { Answer, Operation } from "./wire.ts";

/** The server would not even try the operation: nothing happened. */
export interface Refusal {
  readonly kind: "refused";
  readonly status: number;
  readonly words: string;
}

type Kind = Operation["kind"];

/** What the server says of one operation. */
export function answerOf(kind: Kind, packet: Packet): Answer | Refusal {
  switch (packet.status) {
    case STATUS.ok:
      return doneAnswer(kind, packet);
    case STATUS.missing:
      return { kind: "missing" };
    case STATUS.exists:
      return { kind: "exists" };
    case STATUS.tooLarge:
      return { kind: "tooLarge" };
    case STATUS.notStored:
      return { kind: "missing" }; // append alone: add and replace have numbers of their own
    case STATUS.outOfMemory:
      // For the others it is the answer that found no memory, not the operation.
      return { kind: stores(kind) ? "full" : "unknown" };
    default:
      return refusalOf(packet) ?? { kind: "unknown" };
  }
}

function doneAnswer(kind: Kind, { cas, value }: Packet): Answer {
  if (kind === "get") return { kind: "ok", cas, value };
  return { kind: "ok", cas: kind === "delete" || kind === "touch" ? 0n : cas };
}

const stores = (kind: Kind): boolean => kind === "add" || kind === "replace" || kind === "append";

/** Undefined when the request was carried out, or may have been (busy, internal error, a number nobody knows). */
export function refusalOf(packet: Packet): Refusal | undefined {
  switch (packet.status) {
    case STATUS.invalid:
    case STATUS.authError:
    case STATUS.authContinue:
    case STATUS.unknownCommand:
    case STATUS.unsupported:
      return { kind: "refused", status: packet.status, words: packet.value.toString("latin1", 0, MAX_WORDS) };
    default:
      return undefined;
  }
}

const MAX_WORDS = 100; // memcached's own sentences are shorter

/** The error for a refusal by `server` (`host:port`). */
export function refusalError(server: string, { status, words }: Refusal): MemqError {
  const said = `status ${String(status)}, ${JSON.stringify(words)}`;
  switch (status) {
    case STATUS.authError:
    case STATUS.authContinue:
      return new MemqError(
        "BROKER_REFUSED",
        `memcached at ${server} wants a user name and a password (${said})`,
      );
    case STATUS.invalid:
      return new MemqError("BUG", `memcached at ${server} took a request for malformed (${said})`);
    default:
      return new MemqError(
        "NOT_MEMCACHED",
        `${server} does not know a command that memcached knows (${said})`,
      );
  }
}
