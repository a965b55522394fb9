import { Conversation } from "../conversation.mjs";
import { answerOf } from "../port.mjs";
import { idIn, piecesOf, textOf } from "../task.mjs";

/** @typedef {{ type: number, parts: string[] }} Reply */
/** @typedef {import("../measured.mjs").Work} Work */

const AT_ONCE = 500; // requests sent before the first answer is awaited
const HEADER_BYTES = 12;
const FUNCTION = "push";
// The types of Gearman's binary protocol that are used here.
const CAN_DO = 1;
const PRE_SLEEP = 4;
const JOB_CREATED = 8;
const GRAB_JOB = 9;
const JOB_ASSIGN = 11;
const WORK_COMPLETE = 13;
const SUBMIT_JOB_BG = 18;

/** @param {import("../measured.mjs").Setting} setting @returns {Promise<import("../measured.mjs").Client>} */
export async function connected({ port }) {
  const server = await Conversation.open(port, parse);
  return {
    publish: async (nth) => {
      server.say(submit(nth));
      expectCreated(await server.replies(1));
    },
    publishAll: async (span) => {
      let owed = 0;
      for (const piece of piecesOf(span, AT_ONCE)) {
        server.say(Buffer.concat(piece.map(submit)));
        expectCreated(await server.replies(owed));
        owed = piece.length;
      }
      expectCreated(await server.replies(owed));
    },
    work: (work) => worked(server, work),
    waiting: async () => {
      const text = await answerOf(port, "status\n", "\n.\n");
      return Number(/^push\t(\d+)/m.exec(text)?.[1] ?? 0);
    },
    close: () => {
      server.close();
    },
  };
}

/** @param {Conversation<Reply>} server @param {Work} work */
async function worked(server, { handle, limit, stays }) {
  let left = limit;
  server.say(packet(CAN_DO, FUNCTION));
  while (left > 0) {
    const asked = stays ? 1 : Math.min(AT_ONCE, left);
    server.say(Buffer.concat(Array.from({ length: asked }, () => packet(GRAB_JOB))));
    const found = (await server.replies(asked)).filter(({ type }) => type === JOB_ASSIGN);
    for (const { parts } of found) await handle(idIn(parts[2] ?? ""));
    server.say(Buffer.concat(found.map(({ parts }) => packet(WORK_COMPLETE, parts[0] ?? "", ""))));
    left -= found.length;
    if (found.length > 0) continue;
    if (!stays) return;
    server.say(packet(PRE_SLEEP));
    await server.replies(1); // NOOP: there is something to grab
  }
}

/** @param {number} nth */
const submit = (nth) => packet(SUBMIT_JOB_BG, FUNCTION, "", textOf(nth));

/** @param {readonly Reply[]} replies */
function expectCreated(replies) {
  const other = replies.find(({ type }) => type !== JOB_CREATED);
  if (other !== undefined) throw new Error(`gearmand answered with a packet of type ${String(other.type)}`);
}

/** @param {number} type @param {readonly string[]} parts */
function packet(type, ...parts) {
  const body = parts.join("\0");
  const bytes = Buffer.alloc(HEADER_BYTES + body.length);
  bytes.write("\0REQ", "latin1");
  bytes.writeUInt32BE(type, 4);
  bytes.writeUInt32BE(body.length, 8);
  bytes.write(body, HEADER_BYTES, "latin1");
  return bytes;
}

/** @type {import("../conversation.mjs").Parse<Reply>} */
function parse(bytes, at) {
  for (let begin = at; bytes.length >= begin + HEADER_BYTES;) {
    const type = bytes.readUInt32BE(begin + 4);
    const end = begin + HEADER_BYTES + bytes.readUInt32BE(begin + 8);
    if (bytes.length < end) return undefined;
    return { reply: { type, parts: bytes.toString("latin1", begin + HEADER_BYTES, end).split("\0") }, end };
  }
  return undefined;
}
