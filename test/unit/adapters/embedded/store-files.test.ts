import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { STORE_VERSION } from "../../../../src/adapters/embedded/schema.ts";
import { sqliteDriver } from "../../../../src/adapters/embedded/sqlite.ts";
import { networkKind } from "../../../../src/adapters/embedded/store-folder.ts";
import { openEmbeddedStore, type EmbeddedStore } from "../../../../src/adapters/embedded/store.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import { keepOne, named, testCodec } from "../../../contract/facts/ground.ts";

const CHILD = join(import.meta.dirname, "store-process.ts");
const DAEMON = 1; // a user of every Debian and most others, who owns nothing here
const NOBODY = 65_534;
const PAGE_BYTES = 4_096;
const isRoot = process.geteuid?.() === 0;

let parent: string;
let folder: string;
let stores: EmbeddedStore[];

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "memq-files-"));
  chmodSync(parent, 0o755);
  folder = join(parent, "store");
  stores = [];
});

afterEach(async () => {
  for (const store of stores) await store.close();
  rmSync(parent, { recursive: true });
});

function open(): Broker {
  const store = openEmbeddedStore({ folder });
  stores.push(store);
  return store.queue("files", { codec: testCodec });
}

const start = (...args: string[]): string[] => ["--import", "jiti/register", CHILD, folder, ...args];

/** What a process of that user says of publishing, claiming and starting. */
const asUser = (uid: number, umask = "022"): string =>
  execFileSync(process.execPath, start(String(uid), umask), { encoding: "utf8" }).trim();

function ownerAndMode(path: string): [uid: number, mode: string] {
  const { uid, mode } = statSync(path);
  return [uid, (mode & 0o777).toString(8)];
}

describe("the store's files", { timeout: 30_000 }, () => {
  test("folder and files can be used by their owner and group alone, whatever the umask", () => {
    expect(asUser(process.geteuid?.() ?? 0, "077")).toBe("kept");
    expect(ownerAndMode(folder)[1]).toBe("770");
    for (const name of readdirSync(folder).filter((file) => file !== "flights")) {
      expect([name, ownerAndMode(join(folder, name))[1]]).toEqual([name, "660"]);
    }
  });

  test.skipIf(!isRoot)(
    "what root makes belongs to the owner of the parent folder, who can use it then",
    async () => {
      chownSync(parent, NOBODY, NOBODY);
      const child = spawn(process.execPath, start("0", "077", "--stay"), {
        stdio: ["ignore", "pipe", "inherit"],
      });
      try {
        await once(child.stdout, "data");
        const files = readdirSync(folder, { recursive: true }).map(String);
        expect(files).toEqual(
          expect.arrayContaining(["store.db", "store.db-wal", "store.db-shm", "bell", "flights"]),
        );
        for (const name of files) expect([name, ownerAndMode(join(folder, name))[0]]).toEqual([name, NOBODY]);
        expect(ownerAndMode(join(folder, "store.db-wal"))[1]).toBe("660");
        expect(asUser(NOBODY)).toBe("kept");
      } finally {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      expect(asUser(NOBODY)).toBe("kept");
    },
  );

  test.skipIf(!isRoot)("a user who may not enter the store is told whose it is and who he is", () => {
    chownSync(parent, NOBODY, NOBODY);
    expect(asUser(0)).toBe("kept");
    expect(asUser(DAEMON)).toBe(
      `STORE_UNUSABLE: store ${folder} belongs to nobody (mode 2770), this process runs as daemon`,
    );
  });

  test.skipIf(!isRoot)("a file in the store that the user may not write is named", () => {
    expect(asUser(0)).toBe("kept");
    chmodSync(folder, 0o777);
    expect(asUser(DAEMON)).toBe(
      `STORE_UNUSABLE: store ${join(folder, "store.db")} belongs to root (mode 0660), this process runs as daemon`,
    );
  });

  test.skipIf(!isRoot)(
    "a user without a name is told his number, and where the store could not be made",
    () => {
      expect(asUser(54_321)).toBe(
        `STORE_UNUSABLE: store ${parent} belongs to root (mode 0755), this process runs as uid 54321`,
      );
    },
  );

  test.skipIf(!isRoot)(
    "root follows no link that the folder's owner has put in place of a file",
    async () => {
      const precious = join(parent, "precious");
      writeFileSync(precious, "untouched", { mode: 0o600 });
      mkdirSync(folder);
      symlinkSync(precious, join(folder, "bell"));
      await keepOne(open(), named("a"));
      expect(statSync(precious).size).toBe("untouched".length);
    },
  );

  test("a file where the folder should be is named", async () => {
    writeFileSync(folder, "");
    await expect(open().depth()).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: expect.stringContaining(folder) as string,
    });
  });

  test.skipIf(process.platform !== "linux")(
    "a folder in which none can be made is said to be so at once",
    async () => {
      for (const path of ["/proc/memq-store", "/proc/memq/store"]) {
        const store = openEmbeddedStore({ folder: path });
        await expect(store.queue("files", { codec: testCodec }).depth()).rejects.toMatchObject({
          code: "STORE_UNUSABLE",
          message: expect.stringContaining(path) as string,
        });
      }
    },
  );

  test("nothing is made before the store is used", async () => {
    const broker = open();
    await broker.renew();
    expect(broker.start({} as never, { last: false })).toBe("lost");
    await broker.close();
    expect(existsSync(folder)).toBe(false);
  });

  test("a store that is removed while it is in use takes nothing in, and is made anew by the next use", async () => {
    const broker = open();
    await keepOne(broker, named("a"));
    renameSync(folder, join(parent, "moved"));
    await expect(broker.publish([named("b")])).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: expect.stringContaining("removed or replaced") as string,
    });
    const id = await keepOne(broker, named("c"));
    expect(await open().find(id)).toMatchObject({ task: { args: ["c"] } });
  });
});

describe("what is not a store of this version", () => {
  const file = (): string => join(folder, "store.db");
  const refusal = (code: string, text: string): unknown =>
    expect.objectContaining({ code, message: expect.stringContaining(text) as string });

  /** A database with what the statements make. */
  function makeDatabase(sql: string): void {
    mkdirSync(folder, { recursive: true });
    const database = sqliteDriver().open(file());
    database.exec(sql);
    database.close();
  }

  test("a file that is no database is left alone", async () => {
    mkdirSync(folder);
    writeFileSync(file(), "Dear diary, ".repeat(1_000));
    await expect(open().depth()).rejects.toEqual(refusal("STORE_FOREIGN", `${file()} is not a database`));
    expect(statSync(file()).size).toBe(12_000);
  });

  test("another program's database is left alone", async () => {
    makeDatabase("CREATE TABLE diary(day TEXT)");
    await expect(open().publish([named("a")])).rejects.toEqual(refusal("STORE_FOREIGN", "another program"));
    makeDatabase("PRAGMA application_id = 7");
    await expect(open().depth()).rejects.toEqual(refusal("STORE_FOREIGN", "another program"));
  });

  test("a newer memq's store is refused, also by a process that had it open before", async () => {
    const broker = open();
    await keepOne(broker, named("a"));
    makeDatabase(`PRAGMA user_version = ${String(STORE_VERSION + 1)}`);
    const versions = `has version ${String(STORE_VERSION + 1)}, this memq knows version ${String(STORE_VERSION)}`;
    const newer = refusal("STORE_FOREIGN", versions);
    await expect(broker.publish([named("b")])).rejects.toEqual(newer);
    await expect(broker.claim({ limit: 1, atOnce: 1 })).rejects.toEqual(newer);
    await expect(open().depth()).rejects.toEqual(newer);
  });

  test("a damaged store is named as such", async () => {
    const broker = open();
    for (let batch = 0; batch < 5; batch++) {
      await broker.publish(
        Array.from({ length: 200 }, (_, index) => named(`${String(batch)}.${String(index)}`)),
      );
    }
    await stores[0]?.close();
    const database = sqliteDriver().open(file());
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)"); // so that everything stands in the file itself
    database.close();
    const descriptor = openSync(file(), "r+");
    writeSync(descriptor, Buffer.alloc(statSync(file()).size - PAGE_BYTES, 0xa5), 0, undefined, PAGE_BYTES);
    closeSync(descriptor);
    await expect(open().depth()).rejects.toEqual(refusal("STORE_BROKEN", `${file()} is damaged`));
  });

  test("an empty file, as an interrupted first use leaves it, becomes a store", async () => {
    mkdirSync(folder);
    writeFileSync(file(), "");
    expect(await open().depth()).toMatchObject({ waiting: 0 });
  });
});

test("network file systems are told from local ones", () => {
  expect(networkKind(0x6969)).toBe("NFS");
  expect(networkKind(0xff534d42)).toBe("SMB");
  expect(networkKind(0xff534d42 | 0)).toBe("SMB"); // as a signed number
  expect(networkKind(0x01021997)).toBe("9p");
  expect(networkKind(0xef53)).toBeUndefined();
});
