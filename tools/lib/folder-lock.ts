/** One process a folder: a lock that the system takes back when its holder dies, however it dies. */
import { mkdirSync, statSync } from 'node:fs';
import net from 'node:net';
import { Problem } from '../../protocol/problem.ts';

/** Makes the folder if there is none and locks it; the answer lets go of it. Refuses `spool-in-use` and `state-failed`. */
export async function lockFolder(path: string): Promise<() => void> {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    throw new Problem('state-failed', `${path} cannot be made (${(thrown as NodeJS.ErrnoException).code})`);
  }
  const { dev, ino } = statSync(path);
  const holder = net.createServer().unref();
  await new Promise<void>((resolve, reject) => {
    holder.once('error', () => reject(new Problem('spool-in-use', `another process uses ${path}`)));
    holder.listen(`\0ghostpipe-folder-${dev}-${ino}`, resolve); // a name of the abstract namespace, not a file
  });
  return () => void holder.close();
}
