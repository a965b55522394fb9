import { Conversation } from "../conversation.mjs";
import { idIn, piecesOf, textOf } from "../task.mjs";

/** @typedef {{ words: string[], body: string }} Reply */
/** @typedef {import("../measured.mjs").Work} Work */

const AT_ONCE = 500; // requests sent before the first answer is awaited
const LINE_END = "\r\n";
const PRIORITY_DELAY_SECONDS = "1024 0 60"; // a default priority, no delay, a minute to do it in

/** @param {import("../measured.mjs").Setting} setting @returns {Promise<import("../measured.mjs").Client>} */
export async function connected({ port }) {
  const server = await Conversation.open(port, parse);
  return {
    publish: async (nth) => {
      server.say(put(nth));
      expect("INSERTED", await server.replies(1));
    },
    publishAll: async (span) => {
      let owed = 0;
      for (const piece of piecesOf(span, AT_ONCE)) {
        server.say(piece.map(put).join(""));
        expect("INSERTED", await server.replies(owed));
        owed = piece.length;
      }
      expect("INSERTED", await server.replies(owed));
    },
    work: (work) => worked(server, work),
    waiting: async () => {
      server.say(`stats${LINE_END}`);
      const [reply] = await server.replies(1);
      return Number(/current-jobs-ready: (\d+)/.exec(reply?.body ?? "")?.[1]);
    },
    close: () => {
      server.close();
    },
  };
}

/** @param {Conversation<Reply>} server @param {Work} work */
async function worked(server, { handle, limit, stays }) {
  let left = limit;
  let asked = 0;
  const ask = () => {
    asked = stays ? 1 : Math.min(AT_ONCE, left);
    return `${stays ? "reserve" : "reserve-with-timeout 0"}${LINE_END}`.repeat(asked);
  };
  server.say(ask());
  for (;;) {
    const found = (await server.replies(asked)).filter(({ words }) => words[0] === "RESERVED");
    for (const { body } of found) await handle(idIn(body));
    left -= found.length;
    const deletes = found.map(({ words }) => `delete ${words[1] ?? ""}${LINE_END}`).join("");
    const isEnd = found.length === 0 || left === 0;
    server.say(isEnd ? deletes : deletes + ask());
    expect("DELETED", await server.replies(found.length));
    if (isEnd) return;
  }
}

/** @param {number} nth */
function put(nth) {
  const body = textOf(nth);
  return `put ${PRIORITY_DELAY_SECONDS} ${String(body.length)}${LINE_END}${body}${LINE_END}`;
}

/** @param {string} word @param {readonly Reply[]} replies */
function expect(word, replies) {
  const other = replies.find(({ words }) => words[0] !== word);
  if (other !== undefined) throw new Error(`beanstalkd said ${other.words.join(" ")} instead of ${word}`);
}

/** @type {import("../conversation.mjs").Parse<Reply>} */
function parse(bytes, at) {
  const lineEnd = bytes.indexOf(LINE_END, at);
  if (lineEnd === -1) return undefined;
  const words = bytes.toString("latin1", at, lineEnd).split(" ");
  const end = lineEnd + LINE_END.length;
  if (words[0] !== "RESERVED" && words[0] !== "OK") return { reply: { words, body: "" }, end };
  const bodyEnd = end + Number(words.at(-1));
  if (bytes.length < bodyEnd + LINE_END.length) return undefined;
  return { reply: { words, body: bytes.toString("latin1", end, bodyEnd) }, end: bodyEnd + LINE_END.length };
}
