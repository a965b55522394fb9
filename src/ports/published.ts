import type { ErrorCode } from "../errors.ts";
import type { TaskState } from "../task/task.ts";

/** What a broker answers to a draft. */
export type Published =
  | {
      readonly kind: "kept";
      readonly id: string;
      /** The task it took the place of. */ readonly replaced?: string;
    }
  | { readonly kind: "duplicate"; readonly of: string; readonly state: TaskState }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly reason: string };
