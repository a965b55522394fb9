import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A command `crontab` that keeps its table in a folder of its own: the real one is never called. */
export interface FakeCrontab {
  /** PATH with nothing but it and what a shell script needs. */
  readonly path: string;
  /** The table as bytes; undefined: there is none. */
  read(): string | undefined;
  write(table: string): void;
  /** Another script in its place. */
  behave(script: string): void;
  /** How often a table was written. */
  writes(): number;
  remove(): void;
}

// As Debian's: rc 1 without a table, and a table whose last line does not end is refused whole.
const CRONTAB = `
case "$1" in
-l)
  if [ -e "$here/table" ]; then cat "$here/table"; else echo "no crontab for nobody" >&2; exit 1; fi ;;
-)
  cat > "$here/new"
  if [ -s "$here/new" ] && [ -n "$(tail -c 1 "$here/new")" ]; then
    echo "new crontab file is missing newline before EOF, can't install." >&2; exit 1
  fi
  mv "$here/new" "$here/table"; echo w >> "$here/writes" ;;
*) echo "usage" >&2; exit 64 ;;
esac
`;

/** Makes one. */
export function fakeCrontab(): FakeCrontab {
  const folder = mkdtempSync(join(tmpdir(), "memq-crontab-"));
  const at = (name: string): string => join(folder, name);
  const behave = (script: string): void => {
    writeFileSync(at("crontab"), `#!/bin/sh\nhere='${folder}'\n${script}`);
    chmodSync(at("crontab"), 0o755);
  };
  behave(CRONTAB);
  return {
    path: `${folder}:/usr/bin:/bin`,
    behave,
    read: () => (existsSync(at("table")) ? readFileSync(at("table"), "latin1") : undefined),
    write: (table) => {
      writeFileSync(at("table"), table, "latin1");
    },
    writes: () => (existsSync(at("writes")) ? readFileSync(at("writes"), "utf8").length / 2 : 0),
    remove: () => {
      rmSync(folder, { recursive: true });
    },
  };
}
