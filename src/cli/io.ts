/** The part of `process` that commands use; tests hand in their own. */
export interface Io {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  /** Whether somebody watches stderr. Default: whether it is a terminal. */
  readonly isWatched?: boolean;
  readonly env: NodeJS.ProcessEnv;
  cwd(): string;
  /** Ends the process; absent where a command is only a part of one. */
  exit?(code: number): void;
}

/** Whether somebody watches what a command says. */
export const isWatched = (io: Io): boolean => io.isWatched ?? io.stderr.isTTY === true;
