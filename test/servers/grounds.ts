import { noMemcached, startMemcached, type MemcachedServer } from "./memcached-server.ts";

/** Where a project's queues are kept. */
interface Ground {
  readonly name: string;
  readonly missing: string | undefined;
  /** The lines of config.ini that choose the broker. */
  setUp(): Promise<string>;
  tearDown(): Promise<void>;
}

let server: MemcachedServer | undefined;

/** The brokers that commands are tried on, memcached as a server of its own. */
export const grounds: readonly Ground[] = [
  {
    name: "embedded",
    missing: undefined,
    setUp: () => Promise.resolve(""),
    tearDown: () => Promise.resolve(),
  },
  {
    name: "memcached",
    missing: noMemcached,
    setUp: async () => {
      server = await startMemcached(["-M"]);
      return addressOf(server);
    },
    tearDown: async () => server?.stop(),
  },
];

/** The lines of config.ini for a queue on that server. */
export const addressOf = ({ host, port }: MemcachedServer): string =>
  `queueip = ${host}\nqueueport = ${String(port)}\n`;
