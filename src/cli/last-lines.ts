// The message of a crash with some lines of its stack; more is in the parent's stderr.
const MOST_LINES = 20;
const MOST_CHARS = 2_000;

// What memq itself says of other tasks is not what the process said before it died.
const OWN_LINE = /^memq(?: [^\s:]+)?: .*\n/gm;

/** The last lines that a process wrote. */
export class LastLines {
  #text = "";

  /** Whole lines, with their line ends. */
  add(text: string): void {
    this.#text = (this.#text + text.replace(OWN_LINE, "")).slice(-MOST_CHARS);
  }

  get text(): string {
    return this.#text.trimEnd().split("\n").slice(-MOST_LINES).join("\n");
  }
}
