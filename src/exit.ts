/** How a command exits: the codes of sysexits, and two of its own. */
export const EXIT = {
  ok: 0,
  deadLetters: 1,
  usage: 64,
  data: 65,
  unreachable: 69,
  bug: 70,
  loss: 74,
  tryLater: 75,
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

// From the least to the most alarming; the numbers of sysexits are not in that order.
const SEVERITY: readonly ExitCode[] = [
  EXIT.ok,
  EXIT.deadLetters,
  EXIT.tryLater,
  EXIT.usage,
  EXIT.data,
  EXIT.loss,
  EXIT.unreachable,
  EXIT.config,
  EXIT.bug,
];

/** How a command exits that did several things: the most alarming of their codes; 0 when there are none. */
export const worstExit = (exits: readonly number[]): ExitCode =>
  SEVERITY.findLast((exit) => exits.includes(exit)) ?? EXIT.ok;
