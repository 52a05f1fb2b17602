/** One process a folder: a lock that the system takes back when its holder dies, however it dies. */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Problem } from '../../protocol/problem.ts';

const SQLITE_BUSY = 5;

/**
 * Makes the folder if there is none and locks its file `lock`; the answer lets go of it. Refuses `spool-in-use` and
 * `state-failed`.
 */
export function lockFolder(path: string): () => void {
  const file = join(path, 'lock');
  let holder: DatabaseSync | undefined;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    makeFile(file);
    holder = new DatabaseSync(file); // an empty one, for its lock: Node has no other lock of files (fcntl(2))
    holder.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (thrown) {
    holder?.close();
    const { errcode, code, message } = thrown as NodeJS.ErrnoException & { errcode?: number };
    if (errcode === SQLITE_BUSY) throw new Problem('spool-in-use', `another process uses ${path}`);
    const fact = errcode === undefined ? `${path} cannot be made (${code})` : `${file} cannot be locked (${message})`;
    throw new Problem('state-failed', fact);
  }
  return () => void (holder.isOpen && holder.close());
}

/** Of mode 600: who could open it could lock it. */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
  }
}
