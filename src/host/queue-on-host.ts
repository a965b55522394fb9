/** Which queue, and where this host remembers it. */
export interface QueueOnHost {
  /** The queue's `store`. */
  readonly storePath: string;
  readonly queue: string;
}
