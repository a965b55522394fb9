import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { thisProcess } from "./process-identity.ts";

/**
 * The name of all processes that see each other's pids: those of one boot of one host, and one container. After a
 * reboot nothing of before counts.
 */
export function realmName(): string {
  const { host, realm } = thisProcess();
  return `${host}-${realm}`.replace(/[^\w.-]+/g, "-").slice(0, MOST_REALM_LENGTH);
}

// With a queue's name and what stands around it a file name of at most 255 bytes.
const MOST_REALM_LENGTH = 130;

// No run lasts so long, and no host in use rests so long.
const OLD_REALM_MS = 30 * 86_400_000;

/** Removes what is in a folder of boots and containers that are no more: `<name>@<realm>`. */
export function sweepOldRealms(folder: string): void {
  for (const name of readdirSync(folder)) {
    // A worker may live for months, and nothing shows in its folder meanwhile.
    if (!name.includes("@") || name.includes(`@${realmName()}`)) continue;
    const path = join(folder, name);
    const status = statSync(path, { throwIfNoEntry: false });
    if (status !== undefined && status.mtimeMs < Date.now() - OLD_REALM_MS) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}
