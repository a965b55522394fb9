import { describe, expect, test } from "vitest";
import { answerOf, refusalError, refusalOf } from "../../../../src/adapters/memcached/answers.ts";
import type { Packet } from "../../../../src/adapters/memcached/packets.ts";
import { addressOf, strangerError, unreachable } from "../../../../src/adapters/memcached/strangers.ts";
import type { Operation } from "../../../../src/adapters/memcached/wire.ts";

const KINDS: readonly Operation["kind"][] = ["get", "add", "replace", "append", "delete", "touch"];

const packet = (status: number, words = ""): Packet => ({
  opcode: 0,
  status,
  opaque: 0,
  cas: 42n,
  key: Buffer.alloc(0),
  value: Buffer.from(words),
});

describe("a status of the server", () => {
  // In the order of KINDS.
  test.each([
    [0x00, ["ok", "ok", "ok", "ok", "ok", "ok"]],
    [0x01, ["missing", "missing", "missing", "missing", "missing", "missing"]],
    [0x02, ["exists", "exists", "exists", "exists", "exists", "exists"]],
    [0x03, ["tooLarge", "tooLarge", "tooLarge", "tooLarge", "tooLarge", "tooLarge"]],
    [0x05, ["missing", "missing", "missing", "missing", "missing", "missing"]],
    [0x82, ["unknown", "full", "full", "full", "unknown", "unknown"]],
    [0x85, ["unknown", "unknown", "unknown", "unknown", "unknown", "unknown"]],
    [0x81, ["refused", "refused", "refused", "refused", "refused", "refused"]],
  ])("%d means", (status, expected) => {
    expect(KINDS.map((kind) => answerOf(kind, packet(status)).kind)).toEqual(expected);
  });

  test("gives the cas of what is there, and none of what is gone or only touched", () => {
    expect(KINDS.map((kind) => (answerOf(kind, packet(0)) as { cas: bigint }).cas)).toEqual([
      42n,
      42n,
      42n,
      42n,
      0n,
      0n,
    ]);
  });

  test("a refusal quotes the server, briefly", () => {
    const refusal = refusalOf(packet(0x81, `Unknown ${"x".repeat(10_000)}`));
    if (refusal === undefined) throw new Error("no refusal");
    const { code, message } = refusalError("h:1", refusal);
    expect(code).toBe("NOT_MEMCACHED");
    expect(message).toContain('h:1 does not know a command that memcached knows (status 129, "Unknown xxx');
    expect(message.length).toBeLessThan(250);
  });
});

describe("a server that is not memcached", () => {
  test.each([
    ["HTTP/1.1 400 Bad Request\r\n\r\n<html>", "a web server"],
    ["<html><head>", "a web server"],
    ["SSH-2.0-OpenSSH", "an SSH server"],
    ["-ERR unknown command", "Redis"],
    ["-NOAUTH Authentication required.", "Redis"],
    ["ERROR\r\nERROR\r\n", "MemcacheQ"],
    ["CLIENT_ERROR unauthenticated\r\n", "started with -Y"],
    ["220 ftp.example", "mail or FTP"],
    ["AMQP\0\0\x09\x01", "RabbitMQ"],
    ["\x15\x03\x01\0\x02\x02\x16", "TLS"],
  ])("%j is likely", (text, likely) => {
    const error = strangerError("h:1", Buffer.from(text, "latin1"));
    expect(error.code).toBe("NOT_MEMCACHED");
    expect(error.message).toContain(likely);
  });

  test("is quoted by its first line, safe for a terminal", () => {
    const error = strangerError("h:1", Buffer.from(`\x1b[31mhi\r\nsecond line ${"x".repeat(500)}`));
    expect(error.message).toBe(String.raw`h:1 answered "\u001b[31mhi"`);
  });

  test("a memcached without a free connection is none", () => {
    const error = strangerError("h:1", Buffer.from("ERROR Too many open connections\r\n"));
    expect(error.code).toBe("BROKER_UNREACHABLE");
  });
});

describe("an unreachable server", () => {
  test.each([
    ["ECONNREFUSED", "memcached at h:1: nothing listens there (ECONNREFUSED)"],
    ["ENOTFOUND", "memcached at h:1: no host has that name (ENOTFOUND)"],
    ["EWHATEVER", "memcached at h:1: boom (EWHATEVER)"],
  ])("%s is said in words, with its cause", (code, message) => {
    const cause = Object.assign(new Error("boom"), { code });
    expect(unreachable("h:1", cause)).toMatchObject({ code: "BROKER_UNREACHABLE", message, cause });
  });

  test("is named with brackets where its address has colons", () => {
    expect(addressOf({ host: "h", port: 1 })).toBe("h:1");
    expect(addressOf({ host: "fe80::1", port: 1 })).toBe("[fe80::1]:1");
  });
});
