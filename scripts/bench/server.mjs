import { killed, started } from "./child.mjs";
import { answers } from "./port.mjs";
import { programNamed } from "./program.mjs";
import { until } from "./waiting.mjs";

/** @typedef {import("./daemons.mjs").Daemon} Daemon */
/** @typedef {import("./daemons.mjs").Home} Home */

/** A daemon that runs. */
export class Server {
  #daemon;
  #home;
  #processes;

  /** @param {Daemon} daemon @param {Home} home @param {readonly import("./child.mjs").Started[]} processes itself, then its companion */
  constructor(daemon, home, processes) {
    this.#daemon = daemon;
    this.#home = home;
    this.#processes = processes;
  }

  /**
   * Resolves when it takes connections.
   * @param {Daemon} daemon
   * @param {Home} home
   */
  static async start(daemon, home) {
    const companion = daemon.companion === undefined ? [] : [launched(daemon.companion, home)];
    const itself = launched(daemon, home);
    const server = new Server(daemon, home, [itself, ...companion]);
    try {
      await until(`${daemon.program} takes connections`, async () => {
        if (itself.child.exitCode !== null)
          throw new Error(`${daemon.program} ended: ${itself.said.error.trim()}`);
        return answers(home.port);
      });
    } catch (error) {
      await server.kill();
      throw error;
    }
    return server;
  }

  bytes() {
    const pid = this.#processes[0]?.child.pid ?? 0;
    return this.#daemon.bytes({ ...this.#home, pid });
  }

  /** As kill -9 does. */
  async kill() {
    await Promise.all(this.#processes.map(killed));
  }
}

/** @param {{ program: string, start: Daemon["start"] }} what @param {Home} home */
function launched({ program, start }, home) {
  const { args, env } = start(home);
  const path = programNamed(program);
  if (path === undefined) throw new Error(`${program} is not installed`);
  return started(path, args, { cwd: home.folder, env: env ?? process.env });
}
