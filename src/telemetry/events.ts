import type { Finding, Loss } from "../ports/broker.ts";
import type { Json, Task } from "../task/task.ts";

/** What a run tells while it works. Log lines, summary and progress listen to it; nothing else does. */
export type RunEvent =
  | {
      readonly kind: "done";
      readonly queue: string;
      readonly task: Task;
      readonly ms: number;
      readonly result: Json | undefined;
    }
  | {
      readonly kind: "retry";
      readonly queue: string;
      readonly task: Task;
      readonly attempt: number;
      readonly at: number;
      readonly error: unknown;
    }
  | {
      readonly kind: "dead";
      readonly queue: string;
      readonly task: Task;
      readonly attempt: number;
      readonly error: unknown;
    }
  | { readonly kind: "handedBack"; readonly queue: string; readonly task: Task; readonly why: string }
  | { readonly kind: "leaseLost"; readonly queue: string; readonly task: Task }
  /** It ran, and the broker could not be told how that ended: it may run again. */
  | { readonly kind: "unrecorded"; readonly queue: string; readonly task: Task }
  | { readonly kind: "cancelled"; readonly queue: string; readonly task: Task }
  | { readonly kind: "finding"; readonly queue: string; readonly finding: Finding }
  | { readonly kind: "loss"; readonly queue: string; readonly loss: Loss }
  /** Of a worker: nobody works on the queue, and it is tried again and again. Told once, until it works. */
  | { readonly kind: "unserved"; readonly queue: string; readonly error: unknown }
  /** Of a worker: the attempt is over, its time was up, and its handler goes on. */
  | { readonly kind: "hung"; readonly queue: string; readonly task: Task }
  | { readonly kind: "stray"; readonly queue: string; readonly error: unknown };

/** Told synchronously; it must not throw and must not block. */
export type Listener = (event: RunEvent) => void;
