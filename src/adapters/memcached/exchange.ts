import type { MemqError } from "../../errors.ts";
import { answerOf, refusalError, refusalOf, type Refusal } from "./answers.ts";
import { OPCODE, opaqueDistance, type Packet } from "./packets.ts";
import { encodeOperations, encodePlain, isQuiet, opcodeOf } from "./requests.ts";
import type { Answer, Operation } from "./wire.ts";

/** Requests that go out together, and the one promise that waits for their answers. */
export interface Exchange {
  /** How many request numbers it takes. */
  readonly requests: number;
  /** The bytes to send, in pieces; requests are numbered from `opaque`. */
  begin(opaque: number): Iterator<Buffer>;
  /** "stray": the packet answers something else, so no answer of this connection can be trusted. */
  take(packet: Packet): "more" | "complete" | "stray";
  /** No further answer will come. @param begun whether bytes may have been sent */
  abandon(error: MemqError, begun: boolean): void;
}

/** How a promise is settled, and whose server it asks (`host:port`). */
export interface Asker<T> {
  readonly server: string;
  readonly resolve: (value: T) => void;
  readonly reject: (error: MemqError) => void;
}

const DONE: Answer = { kind: "ok", cas: 0n };

/** The exchange of `Wire.batch`; `operations` is not empty. */
export class BatchExchange implements Exchange {
  readonly requests: number;
  readonly #operations: readonly Operation[];
  readonly #asker: Asker<readonly Answer[]>;
  readonly #answers: Answer[] = [];
  readonly #refusals: Refusal[] = [];
  #firstOpaque = 0;

  constructor(operations: readonly Operation[], asker: Asker<readonly Answer[]>) {
    this.requests = operations.length;
    this.#operations = operations;
    this.#asker = asker;
  }

  begin(opaque: number): Iterator<Buffer> {
    this.#firstOpaque = opaque;
    return encodeOperations(this.#operations, opaque);
  }

  take(packet: Packet): "more" | "complete" | "stray" {
    const index = opaqueDistance(this.#firstOpaque, packet.opaque);
    const operation = this.#operations[index];
    const isLast = index === this.requests - 1;
    if (operation === undefined || packet.opcode !== opcodeOf(operation, isLast)) return "stray";
    if (!this.#passOverTo(index)) return "stray";
    this.#note(answerOf(operation.kind, packet));
    if (!isLast) return "more";
    this.#settle();
    return "complete";
  }

  /** The server answers in order: what it passes over was done without a word, or this answers something else. */
  #passOverTo(index: number): boolean {
    const from = this.#answers.length;
    for (let at = from; at < index; at++) {
      const operation = this.#operations[at];
      if (operation === undefined || !isQuiet(operation, false)) return false;
    }
    for (let at = from; at < index; at++) this.#answers.push(DONE);
    return from <= index;
  }

  abandon(error: MemqError, begun: boolean): void {
    if (!begun) {
      this.#asker.reject(error);
      return;
    }
    while (this.#answers.length < this.requests) this.#answers.push({ kind: "unknown" });
    this.#asker.resolve(this.#answers);
  }

  #note(answer: Answer | Refusal): void {
    if (answer.kind === "refused") this.#refusals.push(answer);
    // Of a refused operation among others the port cannot say "not done": to look again is always right.
    this.#answers.push(answer.kind === "refused" ? { kind: "unknown" } : answer);
  }

  #settle(): void {
    const [refusal] = this.#refusals;
    const nothingDone = this.#refusals.length === this.requests;
    if (refusal !== undefined && nothingDone) this.#asker.reject(refusalError(this.#asker.server, refusal));
    else this.#asker.resolve(this.#answers);
  }
}

const MAX_STATS = 10_000; // "items" of a large server has some 700

/** The exchange of `Wire.stats`: one request, a packet for each statistic, an empty one at the end. */
export class StatsExchange implements Exchange {
  readonly requests = 1;
  readonly #group: string;
  readonly #asker: Asker<ReadonlyMap<string, string>>;
  readonly #stats = new Map<string, string>();
  #opaque = 0;

  constructor(group: string, asker: Asker<ReadonlyMap<string, string>>) {
    this.#group = group;
    this.#asker = asker;
  }

  begin(opaque: number): Iterator<Buffer> {
    this.#opaque = opaque;
    return [encodePlain(OPCODE.stat, this.#group, opaque)].values();
  }

  take(packet: Packet): "more" | "complete" | "stray" {
    if (packet.opaque !== this.#opaque || packet.opcode !== OPCODE.stat) return "stray";
    const refusal = refusalOf(packet);
    if (refusal !== undefined) this.#asker.reject(refusalError(this.#asker.server, refusal));
    else if (packet.key.length === 0) this.#asker.resolve(this.#stats);
    else return this.#note(packet);
    return "complete";
  }

  abandon(error: MemqError): void {
    this.#asker.reject(error);
  }

  #note(packet: Packet): "more" | "stray" {
    this.#stats.set(packet.key.toString("latin1"), packet.value.toString("latin1"));
    return this.#stats.size <= MAX_STATS ? "more" : "stray";
  }
}
