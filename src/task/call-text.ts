import { MemqError } from "../errors.ts";
import { isCallText, parseCall } from "./call.ts";
import type { Call } from "./task.ts";

const CLASS = /^(?:-C|--class)\s+(\S+)\s+/;
// A run of what is neither blank nor quote, or something in quotes; several side by side are one word.
const PIECE = /'([^']*)'|"((?:[^"\\]|\\.)*)"|([^\s'"]+)/g;
const WORD = /(?:'[^']*'|"(?:[^"\\]|\\.)*"|[^\s'"])+/g;

/**
 * The call in a line of text, written as for publish-task: a method and its arguments, `report "last week"`, or
 * a whole call, `report('last week', 7)`; `-C Class` may stand in front. Quotes as in a shell, and nothing else
 * of a shell. @throws MemqError CALL_INVALID, ARGS_INVALID
 */
export function readCall(line: string): Call {
  const text = line.trim();
  const named = CLASS.exec(text);
  const rest = named === null ? text : text.slice(named[0].length);
  const options = named?.[1] === undefined ? {} : { class: named[1] };
  return parseCall(isCallText(rest) ? [rest] : wordsIn(rest), options);
}

function wordsIn(text: string): readonly string[] {
  const words = text.match(WORD) ?? [];
  // A quote that does not end is left over between the words.
  if (/['"]/.test(text.replace(WORD, ""))) {
    throw new MemqError("CALL_INVALID", `${JSON.stringify(text)} has a quote that does not end`);
  }
  return words.map((word) => [...word.matchAll(PIECE)].map(unquoted).join(""));
}

const unquoted = ([, single, double, plain]: RegExpMatchArray): string =>
  single ?? double?.replace(/\\(["\\])/g, "$1") ?? plain ?? "";
