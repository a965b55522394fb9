// Uses a store as whoever it runs as, and says how that went, for tests about users and files. Started with
// jiti: node --import jiti/register store-process.ts <folder> [uid] [umask]
import { openEmbeddedStore } from "../../../../src/adapters/embedded/store.ts";
import { MemqError } from "../../../../src/errors.ts";
import { plainCodec } from "../../../../src/task/codec.ts";

const [folder = "", uid, umask] = process.argv.slice(2);
if (umask !== undefined) process.umask(Number.parseInt(umask, 8));
if (uid !== undefined && uid !== "0") {
  process.setgroups?.([]);
  process.setgid?.(Number(uid));
  process.setuid?.(Number(uid));
}
const store = openEmbeddedStore({ folder });
try {
  const queue = store.queue("files", { codec: plainCodec(900_000) });
  const [answer] = await queue.publish([{ method: "note", args: ["a"] }]);
  const { claims } = await queue.claim({ limit: 1, atOnce: 1 });
  for (const claim of claims) await queue.start(claim, { last: false });
  process.stdout.write(`${String(answer?.kind)}\n`);
} catch (error) {
  const known = error instanceof MemqError ? `${error.code}: ${error.message}` : String(error);
  process.stdout.write(`${known}\n`);
}
if (process.argv.includes("--stay")) await new Promise((resolve) => setTimeout(resolve, 20_000));
await store.close();
