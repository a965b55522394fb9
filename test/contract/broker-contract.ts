import { describe } from "vitest";
import type { Broker } from "../../src/ports/broker.ts";
import type { Codec } from "../../src/task/codec.ts";
import { bulkFacts } from "./facts/bulks.ts";
import { claimFacts } from "./facts/claim.ts";
import { deathFacts } from "./facts/death.ts";
import { factsOn } from "./facts/ground.ts";
import { idleFacts } from "./facts/idle.ts";
import { inspectFacts } from "./facts/inspect.ts";
import { keyFacts } from "./facts/keys.ts";
import { noteFacts } from "./facts/notes.ts";
import { publishFacts } from "./facts/publish.ts";
import { resultFacts } from "./facts/results.ts";
import { settleFacts } from "./facts/settle.ts";
import { signingFacts } from "./facts/signing.ts";
import { upkeepFacts } from "./facts/upkeep.ts";
import { waitFacts } from "./facts/wait.ts";

/** How the suite gets at one kind of broker. */
export interface BrokerHarness {
  readonly name: string;
  /** A fresh, empty queue with nobody on it. */
  setUp(): Promise<QueueUnderTest>;
  /** Why it cannot run here; undefined = it can. */
  readonly unavailable?: string;
}

/** One queue and the powers over it that no owner has. */
export interface QueueUnderTest {
  /** A new owner on the same queue. Default codec: `testCodec`. */
  open(options?: { codec?: Codec }): Promise<Broker>;
  /** The owner's process dies: no close, nothing handed back. */
  kill(owner: Broker): Promise<void>;
  /** The owner lives but its lease has ended (it stalled). */
  lapse(owner: Broker): Promise<void>;
  /** Lets time pass for every owner; nobody renews meanwhile. */
  advance(ms: number): Promise<void>;
  /** The time that the owners see. */
  now(): number;
  /** Writes hostile bytes where the task's text stands. */
  corrupt(id: string, text: string): Promise<void>;
  /** Closes every owner that still lives and removes the queue. */
  tearDown(): Promise<void>;
}

/**
 * The promises of src/ports/broker.ts, one test each, for any broker. A fact that needs a capability is
 * skipped where the broker does not declare it. What the suite leaves open, so that every broker can keep it:
 *
 * - Order is a promise for tasks of one publisher that were published without a delay. A task that falls
 *   due, is put back or is a suspect stands somewhere among the waiting ones, or before them.
 * - A due time, a pause's end and a lease's end may be up to a second late, never early.
 * - A start that was not the `last` need not be on record: when an owner dies, the first `atOnce` of what
 *   it held count as started. What it held beyond those is never charged.
 * - A claim may give fewer tasks than `limit`, but never none while there is something to give to this owner.
 * - A suspect (`Claim.alone`) is only given to an owner that holds nothing, and who holds one gets nothing
 *   else. Why such an owner gets nothing is not told apart: `idle` is only exact for empty hands.
 * - Whether a suspect that was started and then released is still one. Whether a late settle counts when
 *   nobody took the task meanwhile.
 * - What an owner held that has died may be shown as running until the next claim finds out.
 */
export function brokerContract(harness: BrokerHarness): void {
  const because = harness.unavailable === undefined ? "" : ` (not here: ${harness.unavailable})`;
  describe.skipIf(harness.unavailable !== undefined)(`the ${harness.name} broker${because}`, () => {
    const fact = factsOn(harness);
    describe("publishing", () => {
      publishFacts(fact);
    });
    describe("claiming", () => {
      claimFacts(fact);
    });
    describe("settling", () => {
      settleFacts(fact);
    });
    describe("owners that die or stall", () => {
      deathFacts(fact);
    });
    describe("idle answers", () => {
      idleFacts(fact);
    });
    describe("keys", () => {
      keyFacts(fact);
    });
    describe("inspecting", () => {
      inspectFacts(fact);
    });
    describe("putting back, cancelling, purging", () => {
      upkeepFacts(fact);
    });
    describe("results and progress", () => {
      resultFacts(fact);
    });
    describe("signed tasks", () => {
      signingFacts(fact);
    });
    describe("notes", () => {
      noteFacts(fact);
    });
    describe("waiting", () => {
      waitFacts(fact);
    });
    describe("bulks with a name", () => {
      bulkFacts(fact);
    });
  });
}
