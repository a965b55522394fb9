import { livenessOf, nameOf, thisProcess } from "./process-identity.ts";
import { SlotFolder, type Choosing, type Entry } from "./slot-folder.ts";
import { endStuck, isStuck, type StuckRun } from "./stuck-run.ts";
import { upMs } from "./up-time.ts";

/** A run that holds a slot. */
export interface SlotHolder {
  /** `host:pid`. */
  readonly name: string;
  /** In ms since 1970. */
  readonly sinceMs: number;
}

/** What asking for a slot gives: the slot, or who has them all. */
export type SlotAnswer =
  | { readonly kind: "slot"; readonly slot: RunSlot }
  | { readonly kind: "full"; readonly holders: readonly SlotHolder[] };

/** A place among the runs of a queue on this host. It frees by itself when its process is gone. */
export interface RunSlot {
  release(): void;
  /** From now on the process may be silent for so many ms. Who says it once has to say it again: else it is stuck. */
  mayBlock(ms: number): void;
}

/** How a slot is asked for. */
export interface SlotRequest {
  /** How many there are. */
  readonly max: number;
  /** Asked again and again while all are taken: whether to go on waiting for one. Default: not at all. */
  readonly waits?: () => boolean;
  /** Told of each run that had come to a standstill, and has been ended. */
  readonly onStuck?: (run: StuckRun) => void;
}

// Choosing a ticket takes three system calls; whoever takes longer has stopped.
const CHOOSING_MS = 2_000;
const LOOK_AGAIN_MS = 2;
// Those who ask at the same moment and get nothing stand there for a moment, and are no reason to leave.
const CONFIRM_MS = 20;
const WAIT_MS = 250;

/**
 * Takes one of `max` slots, in the order of asking. Who comes first is decided by tickets, as in a bakery
 * (Lamport 1974): runs that start at the same instant cannot all take the last slot. There is no lock that a
 * crash could leave behind; the entries of dead processes do not count and are swept.
 */
export async function takeSlot(path: string, request: SlotRequest): Promise<SlotAnswer> {
  const folder = new SlotFolder(path);
  const mine = drawTicket(folder);
  try {
    for (const entry of folder.tickets().filter(isStuck(folder))) {
      request.onStuck?.(await endStuck(folder, entry));
    }
    const before = await untilFree(folder, mine, request);
    if (before.length < request.max) return { kind: "slot", slot: slotOf(folder, mine) };
    folder.leave(mine);
    return { kind: "full", holders: holdersOf(folder, before.slice(0, request.max)) };
  } catch (error) {
    folder.leave(mine);
    throw error;
  }
}

/** Takes a place that nobody is refused. Those who do so are in no order. */
export function postSlot(path: string): RunSlot {
  const folder = new SlotFolder(path);
  folder.prepare();
  return slotOf(folder, folder.post(entryId(), 0));
}

/** The runs that hold a slot now, or wait for one, in order. */
export const slotHolders = (path: string): readonly SlotHolder[] => {
  const folder = new SlotFolder(path);
  return holdersOf(folder, inOrder(folder.tickets()));
};

/** The entries before mine: fewer than `max`, or as many when there is nothing left to wait for. */
async function untilFree(
  folder: SlotFolder,
  mine: Entry,
  { max, waits }: SlotRequest,
): Promise<readonly Entry[]> {
  const first = await entriesBefore(folder, mine);
  if (first.length < max) return first;
  await pause(CONFIRM_MS);
  for (;;) {
    const before = await entriesBefore(folder, mine);
    if (before.length < max || waits?.() !== true) return before;
    await pause(WAIT_MS);
  }
}

/**
 * The doorway: while an entry chooses, others wait before they compare, so that nobody with a lower ticket
 * can turn up later. Only creating and removing names is relied on, never replacing: a listing may miss those.
 */
function drawTicket(folder: SlotFolder): Entry {
  folder.prepare();
  const id = entryId();
  for (;;) {
    const beganMs = performance.now();
    const mine = chooseTicket(folder, id);
    // Stopped in the doorway for so long that the others went on: this ticket may be too low.
    if (performance.now() - beganMs < CHOOSING_MS / 2) return mine;
    folder.leave(mine);
  }
}

function entryId(): string {
  const { pid, startedAt } = thisProcess();
  return `${String(pid)}.${startedAt}.${Math.random().toString(16).slice(2, 10)}`;
}

function chooseTicket(folder: SlotFolder, id: string): Entry {
  folder.beginChoosing(id);
  try {
    return folder.post(id, 1 + Math.max(0, ...folder.tickets().map(({ ticket }) => ticket)));
  } finally {
    folder.endChoosing(id);
  }
}

async function entriesBefore(folder: SlotFolder, mine: Entry): Promise<readonly Entry[]> {
  const endMs = performance.now() + CHOOSING_MS;
  while (folder.choosing().some(isAliveOrSwept(folder)) && performance.now() < endMs) {
    await pause(LOOK_AGAIN_MS);
  }
  const entries = inOrder(folder.tickets());
  // Somebody cleared the folder: what is not there stands in nobody's way.
  const place = entries.findIndex(({ name }) => name === mine.name);
  if (place === -1) return [];
  const isAtStandstill = isStuck(folder);
  return entries.slice(0, place).filter((entry) => isAliveOrSwept(folder)(entry) && !isAtStandstill(entry));
}

const inOrder = (entries: readonly Entry[]): readonly Entry[] =>
  entries.toSorted((a, b) => a.ticket - b.ticket || (a.name < b.name ? -1 : 1));

const isAliveOrSwept =
  (folder: SlotFolder) =>
  (entry: Choosing): boolean => {
    if (isAlive(entry)) return true;
    folder.leave(entry);
    return false;
  };

const isAlive = ({ pid, startedAt }: Choosing): boolean =>
  livenessOf({ ...thisProcess(), pid, startedAt }) !== "dead";

const slotOf = (folder: SlotFolder, mine: Entry): RunSlot => ({
  release: () => {
    folder.leave(mine);
  },
  mayBlock: (ms) => {
    try {
      folder.mayBeSilent(mine, upMs() + ms);
    } catch {
      folder.leave(mine); // who cannot say that it is alive must not be taken for stuck
    }
  },
});

function holdersOf(folder: SlotFolder, entries: readonly Entry[]): readonly SlotHolder[] {
  return entries.filter(isAlive).flatMap((entry) => {
    const sinceMs = folder.sinceMs(entry);
    return sinceMs === undefined ? [] : [{ name: nameOf({ ...thisProcess(), pid: entry.pid }), sinceMs }];
  });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
