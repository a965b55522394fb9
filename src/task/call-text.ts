import { MemqError } from "../errors.ts";
import { isCallText, parseCall } from "./call.ts";
import type { Call } from "./task.ts";

const CLASS = /^(?:-C|--class)\s+(\S+)\s+/;
// A run of what is neither blank nor quote, or something in quotes; several side by side are one word.
const PIECE = /'([^']*)'|"((?:[^"\\]|\\.)*)"|([^\s'"]+)/g;
const WORD = /(?:'[^']*'|"(?:[^"\\]|\\.)*"|[^\s'"])+/g;

/**
 * The call in a line of text, written as for publish-task: a method and its arguments, `report "last week"`, or
 * a whole call, `report('last week', 7)`; the class is named by `Mailer.report`, or by `-C Mailer` in front. Quotes as in a shell, and nothing else
 * of a shell. @throws MemqError CALL_INVALID, ARGS_INVALID
 */
export function readCall(line: string): Call {
  const text = line.trim();
  const named = CLASS.exec(text) ?? dotted().exec(text);
  const rest = named === null ? text : text.slice(named[0].length);
  const options = named?.[1] === undefined ? {} : { class: named[1] };
  if (isCallText(rest)) return parseCall([rest], options);
  // Its words would be told without their quotes.
  if (/^\S*\(/.test(rest))
    throw new MemqError("CALL_INVALID", `${JSON.stringify(text)} is no call (${LIKE})`);
  return parseCall(wordsIn(rest), options);
}

const LIKE = "such as report('last week'), or Mailer.report('last week')";

// Made where it is needed: the letters of all scripts take a command a millisecond to load.
const dotted = (): RegExp => /^([\p{ID_Start}$_][\p{ID_Continue}$]*)\.(?=[\p{ID_Start}$_])/u;

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
