import { syncBuiltinESMExports } from "node:module";
import { contextStore } from "./task-context.ts";

/**
 * While a run works, `process.exit` in handler code throws instead of ending the run and everything it
 * holds: in a method it fails that one attempt. Outside handlers it does what it always does.
 * @returns what puts the real one back.
 */
export function guardExit(): () => void {
  const real = process.exit; // eslint-disable-line @typescript-eslint/unbound-method -- to be put back as it was
  replaceExit((code) => {
    if (contextStore().getStore() === undefined) return Reflect.apply(real, process, [code]);
    throw new Error(`the handler called process.exit(${code === undefined ? "" : String(code)})`);
  });
  return () => {
    replaceExit(real);
  };
}

function replaceExit(exit: typeof process.exit): void {
  process.exit = exit;
  syncBuiltinESMExports(); // import { exit } from "node:process" is a copy
}
