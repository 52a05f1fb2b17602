/** A file that the site's operator or the appliance put beside the relay's configuration. */
import { readFile, stat } from 'node:fs/promises';
import { Problem } from '../../protocol/problem.ts';

/** Its bytes; refuses `config-missing`, and `file-invalid` beyond `limit` bytes. */
export async function readSiteFile(path: string, limit: number): Promise<Uint8Array> {
  const { size } = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new Problem('config-missing', `${path} cannot be read (${error.code})`);
  });
  if (size > limit) throw new Problem('file-invalid', `${path} has ${size} bytes, at most ${limit}`);
  return readFile(path);
}
