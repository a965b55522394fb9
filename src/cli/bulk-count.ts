import { constants } from "node:os";
import { ERRORS, EXIT, type ErrorCode, type ExitCode } from "../errors.ts";
import type { BulkOutcome } from "../publish/publisher.ts";
import type { ErrorsFile, RefusedLine } from "./bulk-errors.ts";
import type { BulkLine } from "./bulk-lines.ts";
import type { NamedBulk } from "./named-bulk.ts";
import { counted } from "./printable.ts";
import { RefusedLines, type BulkNoun } from "./refused-lines.ts";
import type { Session } from "./shell.ts";

// More than a screenful of ids helps nobody; the summary says how many there are.
const MOST_IDS = 1_000;
const SIGNAL_EXIT = 128; // what shells add to a signal's number

interface CountParts {
  readonly noun: BulkNoun;
  /** The bulk that is gone on with. */
  readonly named: NamedBulk | undefined;
  /** Where refused lines go, instead of being told one by one. */
  readonly errors: ErrorsFile | undefined;
  /** Takes a live line away before something is told. */
  readonly clear: () => void;
}

/** Counts what became of the lines of a bulk, and tells it as a person or a script wants to know it. */
export class BulkCount {
  readonly #session: Session;
  readonly #parts: CountParts;
  readonly #ids: string[] = [];
  readonly #count: { kept: number; duplicate: number; refused: number };
  readonly #before: number;
  readonly #faults: RefusedLines;
  #unwritten: RefusedLine[] = [];
  #refused = 0;
  #lastLine = 0;
  #cutBy: ErrorCode | undefined;
  #isStopped = false;

  constructor(session: Session, parts: CountParts) {
    this.#session = session;
    this.#parts = parts;
    this.#count = { kept: 0, duplicate: 0, refused: 0, ...parts.named?.before };
    this.#before = this.total;
    this.#faults = new RefusedLines(parts.noun, (text) => {
      parts.clear();
      session.complain(text);
    });
  }

  /** The queue is full: what comes later would be refused too. */
  get isCutShort(): boolean {
    return this.#cutBy !== undefined;
  }

  /** How many lines were answered so far. */
  get total(): number {
    const { kept, duplicate, refused } = this.#count;
    return kept + duplicate + refused;
  }

  /** How many of them were refused. */
  get refusedCount(): number {
    return this.#count.refused;
  }

  get exit(): ExitCode {
    if (this.isCutShort) return EXIT.tryLater;
    return this.#count.refused > 0 ? EXIT.data : EXIT.ok;
  }

  add(line: BulkLine, outcome: BulkOutcome | undefined): void {
    this.#lastLine = line.line;
    if (outcome === undefined) return;
    if (outcome.kind === "refused") {
      this.refuse(line, outcome.code, outcome.reason);
      return;
    }
    this.#count[outcome.kind]++;
    // One more than is printed, so that it is seen that there are more.
    if (this.#ids.length <= MOST_IDS) this.#ids.push(outcome.kind === "kept" ? outcome.id : outcome.of);
  }

  refuse({ line, raw }: BulkLine, code: ErrorCode, reason: string): void {
    this.#lastLine = line;
    this.#count.refused++;
    this.#refused++;
    if (ERRORS[code].exit === EXIT.tryLater) this.#cutBy ??= code;
    if (this.#parts.errors === undefined) this.#faults.add(line, code, reason);
    else this.#unwritten.push({ line, reason, code, text: raw?.toString("utf8").replace(/\r$/, "") });
  }

  /** Tells the refused lines, or writes them down, that are not yet. */
  write(): void {
    this.#faults.close();
    this.#parts.errors?.write(this.#unwritten);
    this.#unwritten = [];
  }

  /** Something failed on the way: tells what is known until there. */
  tellBroken(): void {
    if (this.#lastLine === 0) return;
    this.tell();
    this.#session.complain(
      `the ${this.#parts.noun}s up to ${String(this.#lastLine)} were answered; of the later ones nothing is known`,
    );
  }

  /** A signal ended the bulk on its way: what was kept, and how to go on. The exit code is the shell's for it. */
  tellStopped(signal: NodeJS.Signals): number {
    this.#isStopped = true;
    this.tell();
    const { named, noun } = this.#parts;
    const after = this.#lastLine === 0 ? (named?.from.line ?? 0) : this.#lastLine;
    const rest =
      after === 0 ? "nothing was published" : `the ${noun}s after ${String(after)} were not published`;
    const on = named === undefined ? "" : `; the same command goes on with bulk ${named.name}`;
    this.#session.complain(`publish-task: ${signal}: ${rest}${on}`);
    return SIGNAL_EXIT + constants.signals[signal];
  }

  /** Ids or counts to stdout; to stderr what the ids do not say. */
  tell(): void {
    const { print, complain, parsed } = this.#session;
    this.#tellRefused();
    if (this.#cutBy !== undefined) {
      complain(`no ${this.#parts.noun} after ${String(this.#lastLine)} was tried`);
      complain(`  ${ERRORS[this.#cutBy].next}`);
    }
    if (parsed.flag("json")) print(JSON.stringify(this.#count));
    else this.#tellPeople();
  }

  #tellRefused(): void {
    const { errors, noun } = this.#parts;
    const { complain } = this.#session;
    const { untold } = this.#faults;
    if (untold > 0) complain(`… ${counted(untold, `more ${noun}`)} ${untold === 1 ? "was" : "were"} refused`);
    if (errors !== undefined && this.#refused > 0)
      complain(`${counted(this.#refused, noun)} refused: see ${errors.path}`);
  }

  #tellPeople(): void {
    const { print, say, parsed } = this.#session;
    const { kept, duplicate, refused } = this.#count;
    const counts = `${String(kept)} kept, ${String(duplicate)} duplicate, ${String(refused)} refused`;
    if (parsed.flag("dry-run")) {
      say(`Nothing was published; it would be: ${counts}`);
      return;
    }
    const { named } = this.#parts;
    if (named !== undefined) {
      const gone = this.#before > 0 ? ` (${String(this.total - this.#before)} of them now)` : "";
      say(`bulk ${named.name}: ${counts}${gone}`);
      return;
    }
    const isListed = this.#ids.length <= MOST_IDS;
    if (isListed && this.#ids.length > 0) print(this.#ids.join("\n"));
    if (!isListed || refused > 0 || duplicate > 0 || this.#isStopped) say(counts);
  }
}
