/** The option `--auditor-key`, by which a sealed export is read. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { readAuditorKey } from '../lib/auditor-key-file.ts';
import type { Arguments } from '../lib/command.ts';
import { type Unseal, unopened, unsealWith } from './unseal.ts';

/** Opens with the key that was given; without one, what is sealed stays so. Refuses what `readAuditorKey` refuses. */
export function unsealOption(args: Arguments): Unseal {
  const file = args.text('auditor-key');
  return file === undefined ? unopened : unsealWith(nativeEngine, readAuditorKey(nativeEngine, file));
}
