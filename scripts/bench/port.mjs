// Ports of this host, on loopback.
import { once } from "node:events";
import { connect, createServer } from "node:net";

/** One that nothing listens on. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("there is no free port");
  return address.port;
}

/** Does something listen there? @param {number} port @returns {Promise<boolean>} */
export const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {
      resolve(false);
    });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });

/** What a server answers to a line of text, until it says `last`. @param {number} port @param {string} line @param {string} last */
export async function answerOf(port, line, last) {
  const socket = connect(port, "127.0.0.1");
  socket.write(line);
  let text = "";
  for await (const piece of socket) {
    text += String(piece);
    if (text.includes(last)) break;
  }
  socket.destroy();
  return text;
}
