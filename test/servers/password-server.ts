import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Who may sign in at a `memcached -S` that is started with `SASL_CONF_PATH` naming its folder. */
export interface PasswordServer {
  readonly folder: string;
  close(): void;
}

/**
 * Stands in for saslauthd, so that no user database is needed: memcached asks it for each user. `accounts` are
 * passwords by user.
 */
export async function startPasswordServer(
  accounts: Readonly<Record<string, string>>,
): Promise<PasswordServer> {
  const folder = mkdtempSync(join(tmpdir(), "memq-sasl-"));
  const config = `mech_list: plain\npwcheck_method: saslauthd\nsaslauthd_path: ${folder}/mux\n`;
  writeFileSync(join(folder, "memcached.conf"), config);
  const server = createServer((socket) => {
    answer(socket, accounts);
  }).listen(join(folder, "mux"));
  await once(server, "listening");
  return {
    folder,
    close: () => {
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** saslauthd's protocol: counted strings, of which the first are user and password. */
function answer(socket: Socket, accounts: Readonly<Record<string, string>>): void {
  let heard = Buffer.alloc(0);
  socket.on("data", (data: Buffer) => {
    heard = Buffer.concat([heard, data]);
    const words = countedStrings(heard);
    if (words.length < REQUEST_WORDS) return;
    const [user = "", password] = words;
    socket.end(Object.hasOwn(accounts, user) && accounts[user] === password ? "\0\x02OK" : "\0\x02NO");
  });
}

const REQUEST_WORDS = 4; // user, password, service, realm

function countedStrings(bytes: Buffer): readonly string[] {
  const words: string[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const end = at + 2 + bytes.readUInt16BE(at);
    if (end > bytes.length) break;
    words.push(bytes.toString("utf8", at + 2, end));
    at = end;
  }
  return words;
}
