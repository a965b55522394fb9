import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import type { Signer } from "../../task/signature.ts";

/** HMAC-SHA256 over UTF-8, written in base64url: 43 signs. `secret` is not empty. */
export function hmacSigner(secret: string): Signer {
  const key = createSecretKey(secret, "utf8");
  const sign = (text: string): string => createHmac("sha256", key).update(text, "utf8").digest("base64url");
  return { sign, verify: (text, signature) => isSame(sign(text), signature) };
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
