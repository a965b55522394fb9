import { contextStore } from "./task-context.ts";

/**
 * While a run works, `process.exit` inside a handler fails that one attempt instead of ending the run and
 * everything it holds. Outside handlers it does what it always does.
 * @returns what puts the real one back.
 */
export function guardExit(): () => void {
  const realExit = process.exit.bind(process);
  const guarded = (code?: number | string | null): never => {
    if (contextStore().getStore() === undefined) return realExit(code);
    throw new Error(`the handler called process.exit(${code === undefined ? "" : String(code)})`);
  };
  process.exit = guarded;
  return () => {
    process.exit = realExit;
  };
}
