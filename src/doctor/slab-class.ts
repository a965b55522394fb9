import { numberOf } from "./server-stats.ts";

/** Memory that a memcached has set aside for items of one size. */
export interface SlabClass {
  /** What an item takes, however small it is. */
  readonly chunkBytes: number;
  readonly used: number;
  readonly free: number;
}

/** The classes in `stats slabs`, the smallest first. */
export function classesOf(slabs: ReadonlyMap<string, string>): readonly SlabClass[] {
  const numbers = [...slabs.keys()].flatMap((name) => /^(\d+):chunk_size$/.exec(name)?.[1] ?? []);
  return numbers
    .map((number) => ({
      chunkBytes: numberOf(slabs, `${number}:chunk_size`) ?? 0,
      used: numberOf(slabs, `${number}:used_chunks`) ?? 0,
      free: numberOf(slabs, `${number}:free_chunks`) ?? 0,
    }))
    .sort((one, other) => one.chunkBytes - other.chunkBytes);
}
