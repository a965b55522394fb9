import { createReadStream, statSync } from "node:fs";
import { resolve } from "node:path";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { MemqError } from "../errors.ts";
import type { Session } from "./shell.ts";

/** The bytes of --from, and how far they are read. */
export interface BulkInput {
  readonly bytes: AsyncIterable<Buffer | string>;
  /** The share that was read, from 0 to 1; undefined where the end cannot be known. */
  readonly share: () => number | undefined;
}

// Each piece is a turn of the event loop; larger ones gain nothing.
const PIECE_BYTES = 64 * 1024;

/** The input that --from names; what ends in .gz is unpacked. */
export function openInput({ parsed, io }: Session): BulkInput {
  const path = parsed.text("from") ?? "-";
  if (path === "") throw new MemqError("USAGE", "--from names no file: its value is empty");
  if (path === "-") return { bytes: readable(io.stdin, "-"), share: () => undefined };
  const file = resolve(io.cwd(), path);
  const stream = createReadStream(file, { highWaterMark: PIECE_BYTES });
  const size = sizeOf(file);
  const share = (): number | undefined => (size === undefined ? undefined : stream.bytesRead / size);
  if (!path.endsWith(".gz")) return { bytes: readable(stream, path), share };
  const unpacked = createGunzip({ chunkSize: PIECE_BYTES });
  pipeline(stream, unpacked, ignoreTold);
  return { bytes: readable(unpacked, path), share };
}

async function* readable(
  stream: AsyncIterable<Buffer | string>,
  path: string,
): AsyncGenerator<Buffer | string> {
  try {
    for await (const piece of stream) yield piece;
  } catch (cause) {
    throw new MemqError("USAGE", `--from ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Undefined for what is no plain file: a pipe has no end that could be known. */
function sizeOf(file: string): number | undefined {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size > 0 ? stat.size : undefined;
}

const ignoreTold = (): void => undefined; // whoever reads what comes out is told of every error
