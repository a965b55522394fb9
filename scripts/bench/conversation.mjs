import { once } from "node:events";
import { connect } from "node:net";

/**
 * A connection to a server that answers every request in turn.
 * @template Reply
 */
export class Conversation {
  #socket;
  #parse;
  /** @type {Buffer} */
  #rest = Buffer.alloc(0);
  /** @type {Reply[]} */
  #replies = [];
  /** @type {Error | undefined} */
  #fault;
  /** @type {() => void} */
  #wake = () => undefined;

  /** @param {import("node:net").Socket} socket @param {Parse<Reply>} parse */
  constructor(socket, parse) {
    this.#socket = socket;
    this.#parse = parse;
    socket.on("data", (bytes) => {
      this.#read(bytes);
    });
    socket.on("close", () => {
      this.#fault = new Error("the server closed the connection");
      this.#wake();
    });
    socket.on("error", () => socket.destroy());
  }

  /**
   * @template Reply
   * @param {number} port
   * @param {Parse<Reply>} parse the reply that begins at a place; undefined: not all of it is there
   * @returns {Promise<Conversation<Reply>>}
   */
  static async open(port, parse) {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new Conversation(socket, parse);
  }

  /** @param {string | Buffer} request */
  say(request) {
    this.#socket.write(request);
  }

  /** The next replies. @param {number} count @returns {Promise<Reply[]>} */
  async replies(count) {
    while (this.#replies.length < count) {
      if (this.#fault !== undefined) throw this.#fault;
      await new Promise((resolve) => {
        this.#wake = () => {
          resolve(undefined);
        };
      });
    }
    return this.#replies.splice(0, count);
  }

  close() {
    this.#socket.destroy();
  }

  /** @param {Buffer} bytes */
  #read(bytes) {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    for (let found = this.#parse(all, at); found !== undefined; found = this.#parse(all, at)) {
      this.#replies.push(found.reply);
      at = found.end;
    }
    this.#rest = all.subarray(at);
    this.#wake();
  }
}

/**
 * @template Reply
 * @typedef {(bytes: Buffer, at: number) => { reply: Reply, end: number } | undefined} Parse
 */
