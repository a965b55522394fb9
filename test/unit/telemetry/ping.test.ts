import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pingOf } from "../../../src/telemetry/ping.ts";
import { starvation } from "../../starvation.ts";

let server: Server;
let base: string;
let heard: string[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
beforeEach(async () => {
  heard = [];
  answer = (_, response) => response.end("OK");
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (data: Buffer) => (body += data.toString()));
    request.on("end", () => {
      heard.push(`${request.method ?? ""} ${request.url ?? ""}${body === "" ? "" : ` ${body}`}`);
      answer(request, response);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const FINE = { isFine: true, summary: "3 done" };
const BAD = { isFine: false, summary: "1 dead" };

test("a run says when it starts, and that it went well", async () => {
  const ping = pingOf(`${base}/uuid`);
  ping.start();
  ping.start();
  await ping.end(FINE);
  expect(heard).toEqual(["GET /uuid/start", "GET /uuid"]);
  expect(ping.fault).toBeUndefined();
});

test("a failure goes to /fail, with the summary", async () => {
  await pingOf(`${base}/uuid/`).end(BAD);
  expect(heard).toEqual(["POST /uuid/fail 1 dead"]);
});

test("what stands behind a question mark stays there", async () => {
  const ping = pingOf(`${base}/uuid?create=1`);
  ping.start();
  await ping.end(FINE);
  expect(heard).toEqual(["GET /uuid/start?create=1", "GET /uuid?create=1"]);
});

test("a monitor that hangs gets five seconds in all", async () => {
  answer = () => undefined;
  const ping = pingOf(base);
  ping.start();
  const [before, starvedMs] = [performance.now(), starvation()];
  await ping.end(FINE);
  const tookMs = performance.now() - before;
  expect(tookMs).toBeGreaterThan(4_900);
  expect(tookMs).toBeLessThan(6_000 + starvedMs());
  expect(ping.fault).toBe("no answer in time");
});

test("a monitor that says no, or is not there, fails nobody", async () => {
  answer = (_, response) => {
    response.statusCode = 404;
    response.end();
  };
  const refused = pingOf(base);
  await refused.end(FINE);
  expect(refused.fault).toBe("it answered 404");
  const away = pingOf("http://127.0.0.1:1/");
  away.start();
  await away.end(BAD);
  expect(away.fault).toMatch(/ECONNREFUSED/);
});

test("one that breaks off in the middle fails nobody", async () => {
  answer = (request) => request.socket.destroy();
  const ping = pingOf(base);
  await ping.end(FINE);
  expect(ping.fault).toBeDefined();
});
