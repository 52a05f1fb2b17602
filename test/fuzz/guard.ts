/** Runs code that may never come back. */
import { createContext, Script } from 'node:vm';

const script = new Script('action()');
const context = createContext({ action: undefined });

/** Runs `action` for at most `limitMs`; false when it was ended. A call into native code is ended when it returns. */
export function runGuarded(action: () => void, limitMs: number): boolean {
  context.action = action;
  try {
    script.runInContext(context, { timeout: limitMs });
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw thrown;
    return false;
  }
}
