/** Whose lines a block of a crontab are. */
export interface Mark {
  /** Absolute. */
  readonly configFile: string;
  /** Undefined: the block that drains every queue. */
  readonly queue?: string;
}

/** One of the two lines around a block. */
export interface MarkLine extends Mark {
  readonly edge: "BEGIN" | "END";
}

const MARK = /^# (BEGIN|END) memq ("(?:[^"\\]|\\.)*")(?: queue ("(?:[^"\\]|\\.)*"))?\s*$/;

// Changing it leaves the blocks of earlier versions standing: read both then.
export const markLine = ({ edge, configFile, queue }: MarkLine): string =>
  `# ${edge} memq ${JSON.stringify(configFile)}${queue === undefined ? "" : ` queue ${JSON.stringify(queue)}`}`;

/** What a line says if it is one of the two; undefined when it is any other. */
export function readMarkLine(line: string): MarkLine | undefined {
  const [, edge, configFile, queue] = MARK.exec(line) ?? [];
  if ((edge !== "BEGIN" && edge !== "END") || configFile === undefined) return undefined;
  try {
    return {
      edge,
      configFile: JSON.parse(configFile) as string,
      ...(queue !== undefined && { queue: JSON.parse(queue) as string }),
    };
  } catch {
    return undefined; // somebody's own words: not JSON, so not written here
  }
}

export const isSameMark = (one: Mark, other: Mark): boolean =>
  one.configFile === other.configFile && one.queue === other.queue;
