import { plainCodec, type Codec, type Decoded } from "./codec.ts";
import { enveloped, ENVELOPE_VERSION, openEnvelope } from "./envelope.ts";

/** A keyed hash. Whoever does not have the key can neither make nor guess one. */
export interface Signer {
  /** The hash of a text, in letters, digits, `_` and `-`. */
  sign(text: string): string;
  /** Whether a hash is that of the text; how long it takes does not tell how near it comes. */
  verify(text: string, signature: string): boolean;
}

/**
 * The codec of a queue with a secret: what it seals is signed for its queue and id, and what is not so signed
 * is no task. `maxBytes`: of one encoded task, the signature not counted.
 */
export function signedCodec(signer: Signer, queue: string, maxBytes: number): Codec {
  const plain = plainCodec(maxBytes);
  return {
    encode: (draft) => plain.encode(draft),
    seal: (id, body) => enveloped(signer.sign(signedText(queue, id, body)), body),
    unseal: (id, text) => {
      const envelope = openEnvelope(text);
      if (envelope.kind !== "signed") return undefined;
      const { signature, body } = envelope;
      return signer.verify(signedText(queue, id, body), signature) ? body : undefined;
    },
    open: (id, bornAt, text) => {
      const envelope = openEnvelope(text);
      if (envelope.kind === "newer") return envelope;
      if (envelope.kind === "bare")
        return forged(`it has no signature, and queue "${queue}" takes only signed tasks`);
      const { signature, body } = envelope;
      if (!signer.verify(signedText(queue, id, body), signature)) return forged(MISMATCH);
      // Opened only now: what nobody vouches for is not even parsed.
      return plain.open(id, bornAt, body);
    },
  };
}

const MISMATCH = "its signature is of another secret, queue or task, or the task was altered";

// Names the code, as it is all that is left of it where a dead letter is shown.
const forged = (why: string): Decoded => ({ kind: "broken", reason: `TASK_FORGED: ${why}` });

// With the lengths in front no two tasks give the same text, whatever their names hold; and a secret that
// signs other things too signs nothing that could pass for a task.
const signedText = (queue: string, id: string, body: string): string =>
  `memq task ${String(ENVELOPE_VERSION)} ${String(queue.length)} ${String(id.length)}\n${queue}${id}${body}`;
