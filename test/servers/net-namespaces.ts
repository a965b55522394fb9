import { spawnSync } from "node:child_process";

/** Two hosts on one machine: network namespaces with an address each, and one that both reach. */
export interface TwoHosts {
  /** This machine's address, as both see it. */
  readonly here: string;
  /** What a command is to begin with so that it runs on that host, as another machine would. */
  readonly on: readonly [readonly string[], readonly string[]];
  /** Takes everything down. */
  remove(): void;
}

// Of the addresses for trials of networks: nobody's. Other tests on this machine have others.
const NET = `198.18.${String(process.pid % 250)}`;

/** Why there can be no namespaces here; undefined: there can. */
export const noNamespaces: string | undefined = whyNot();

function whyNot(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (process.getuid?.() !== 0) return "only root can make network namespaces";
  if (spawnSync("ip", ["-V"]).status !== 0) return "ip is not installed (iproute2)";
  if (spawnSync("unshare", ["--version"]).status !== 0) return "unshare is not installed (util-linux)";
  const probe = `memq-probe-${String(process.pid)}`;
  const made = spawnSync("ip", ["netns", "add", probe], { encoding: "utf8" });
  spawnSync("ip", ["netns", "del", probe]);
  return made.status === 0 ? undefined : `the kernel permits no network namespaces: ${made.stderr.trim()}`;
}

/** Makes the two hosts. @throws Error when the kernel refuses; nothing is left of them then */
export function makeTwoHosts(): TwoHosts {
  const tag = `mq${String(process.pid % 10_000)}`;
  const names = [`${tag}a`, `${tag}b`] as const;
  const bridge = `${tag}br`;
  const here = `${NET}.1`;
  const remove = (): void => {
    for (const name of names) spawnSync("ip", ["netns", "del", name]);
    for (const name of names) spawnSync("ip", ["link", "del", `${name}0`]);
    spawnSync("ip", ["link", "del", bridge]);
    process.off("exit", remove);
  };
  process.on("exit", remove); // whatever becomes of the test
  try {
    ip("link", "add", bridge, "type", "bridge");
    ip("addr", "add", `${here}/24`, "dev", bridge);
    ip("link", "set", bridge, "up");
    for (const [at, name] of names.entries()) {
      ip("netns", "add", name);
      ip("link", "add", `${name}0`, "type", "veth", "peer", "name", `${name}1`);
      ip("link", "set", `${name}0`, "master", bridge);
      ip("link", "set", `${name}0`, "up");
      ip("link", "set", `${name}1`, "netns", name);
      ip("-n", name, "addr", "add", `${NET}.${String(at + 10)}/24`, "dev", `${name}1`);
      ip("-n", name, "link", "set", `${name}1`, "up");
      ip("-n", name, "link", "set", "lo", "up");
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { here, on: [entering(names[0]), entering(names[1])], remove };
}

// Its processes are another host's too: nobody sees the pids of the other one.
const entering = (name: string): readonly string[] => [
  ...["ip", "netns", "exec", name],
  ...["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"],
  ...["sh", "-c", `hostname ${name} && exec "$@"`, name],
];

function ip(...words: readonly string[]): void {
  const { status, stderr } = spawnSync("ip", words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${words.join(" ")}: ${stderr.trim()}`);
}
