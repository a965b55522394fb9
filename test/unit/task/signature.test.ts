import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hmacSigner } from "../../../src/adapters/hmac/signer.ts";
import { plainCodec, type Decoded } from "../../../src/task/codec.ts";
import { enveloped, openEnvelope } from "../../../src/task/envelope.ts";
import { signedCodec } from "../../../src/task/signature.ts";
import type { Draft } from "../../../src/task/task.ts";

const SECRET = "correct horse battery staple";
const draft: Draft = {
  method: "push",
  args: ["你好", { deep: [1, null] }],
  class: "Pusher",
  key: "k",
  retries: 2,
};

const codec = signedCodec(hmacSigner(SECRET), "mail", 1_000);
const body = codec.encode(draft);
const sealed = codec.seal("7", body);

const reasonOf = (decoded: Decoded): string => (decoded.kind === "broken" ? decoded.reason : decoded.kind);

describe("a signed text", () => {
  test("opens as the task that was sealed", () => {
    expect(codec.open("7", 99, sealed)).toEqual({
      kind: "task",
      task: {
        id: "7",
        bornAt: 99,
        class: "Pusher",
        method: "push",
        args: ["你好", { deep: [1, null] }],
        key: "k",
        retries: 2,
      },
    });
  });

  test("has the layout that stored tasks of version 1 have", () => {
    // printf 'memq task 1 7 1\ndefault7{"v":1,"m":"push","a":[]}' | openssl dgst -sha256 -hmac s3cret
    const text = signedCodec(hmacSigner("s3cret"), "default", 1_000).seal("7", '{"v":1,"m":"push","a":[]}');
    expect(text).toBe('s1:pg8-6zK3JM0V4_v0cbslIzkUQkLB9OBdUN9PO0XOPEg:{"v":1,"m":"push","a":[]}');
  });

  test("of the same task is the same every time", () => {
    expect(codec.seal("7", body)).toBe(sealed);
  });

  test("opens without a look at the signature where there is no secret", () => {
    const plain = plainCodec(1_000);
    expect(plain.open("7", 99, sealed)).toEqual(codec.open("7", 99, sealed));
    expect(plain.open("8", 99, sealed.replace("s1:", "s1:x")).kind).toBe("task");
  });

  test("is refused under another id, queue or secret", () => {
    const others = [
      codec.open("8", 99, sealed),
      codec.open("", 99, sealed),
      signedCodec(hmacSigner(SECRET), "mai", 1_000).open("l7", 99, sealed),
      signedCodec(hmacSigner(SECRET), "mail7", 1_000).open("", 99, sealed),
      signedCodec(hmacSigner(`${SECRET} `), "mail", 1_000).open("7", 99, sealed),
    ];
    for (const opened of others)
      expect(reasonOf(opened)).toContain("TASK_FORGED: its signature is of another");
  });

  test("of another way to write its version is refused", () => {
    for (const version of ["s0:", "s01:", "s001:", "s+1:", "s:", "S1:"]) {
      expect(reasonOf(codec.open("7", 99, sealed.replace("s1:", version)))).toContain("TASK_FORGED");
    }
  });

  test("is refused when any of its signs is another", () => {
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, sign) => {
        fc.pre(sealed[at] !== sign);
        const altered = sealed.slice(0, at) + sign + sealed.slice(at + 1);
        // A higher version is the one thing that cannot be told from the outside.
        const opened = codec.open("7", 99, altered);
        if (opened.kind !== "newer") expect(reasonOf(opened)).toContain("TASK_FORGED");
        expect(opened.kind).not.toBe("task");
      }),
      { numRuns: 500 },
    );
  });
});

describe("an unsigned text", () => {
  test("is refused with the queue's name", () => {
    expect(codec.open("7", 99, body)).toEqual({
      kind: "broken",
      reason: `TASK_FORGED: it has no signature, and queue "mail" takes only signed tasks`,
    });
  });

  test("is refused before it is parsed: a claim to be of a newer version changes nothing", () => {
    expect(reasonOf(codec.open("7", 99, '{"v":99}'))).toContain("TASK_FORGED");
    expect(reasonOf(codec.open("7", 99, "not JSON"))).toContain("TASK_FORGED");
  });
});

test("whatever the text is, nothing is thrown and nothing is a task", () => {
  const likely = fc.tuple(fc.constantFrom("s", "s0:", "s1:", "s1::", "s1:a:", "S1:a:", "{"), fc.string());
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        likely.map((parts) => parts.join("")),
      ),
      (text) => {
        expect(codec.open("7", 99, text).kind).not.toBe("task");
      },
    ),
  );
});

test("a signed text of a newer envelope is left to newer versions, with and without a secret", () => {
  expect(codec.open("7", 99, "s2:abc:whatever")).toEqual({ kind: "newer" });
  expect(plainCodec(1_000).open("7", 99, "s2:abc:whatever")).toEqual({ kind: "newer" });
});

test("a signed body of a newer version is left to newer versions", () => {
  const newer = '{"v":99,"future":true}';
  expect(codec.open("7", 99, codec.seal("7", newer))).toEqual({ kind: "newer" });
});

test("the size limit holds for the task, not for its signature", () => {
  const tight = signedCodec(hmacSigner(SECRET), "mail", Buffer.byteLength(body));
  expect(tight.seal("7", tight.encode(draft))).toBe(sealed);
  expect(() => tight.encode({ ...draft, method: "pushx" })).toThrow("max-size");
});

test("an envelope gives back what was put in", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(openEnvelope(enveloped("aZ09_-", text))).toEqual({
        kind: "signed",
        signature: "aZ09_-",
        body: text,
      });
    }),
  );
});
