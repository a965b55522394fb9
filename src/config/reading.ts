/** What a text means, or why it means nothing: `fault` goes on after `timeout = "60 sec" `. */
export type Reading<T> = { readonly value: T } | { readonly fault: string };

/** A type of values: how texts of it are read. */
export interface ValueType<T> {
  /** What the documentation calls it. */
  readonly name: string;
  readonly read: (text: string) => Reading<T>;
  /** The text that a number stands for where a configuration is given as an object. Default: its digits. */
  readonly ofNumber?: (value: number) => string;
}
