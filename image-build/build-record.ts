/** `build.json`, which `npm run image` leaves in the build folder of an image. */
import { Problem } from '../protocol/problem.ts';
import { readFileBounded } from '../tools/lib/files.ts';
import type { BuildRecord } from './build.ts';

const FORMAT: BuildRecord['format'] = 'ghostpipe/image-build/v1';
const LIMIT = 4 << 20;

/** Reads what this project's own build wrote; refuses `file-invalid` when it is not there or of another format. */
export function readBuildRecord(path: string): BuildRecord {
  const content = readFileBounded(path, LIMIT);
  if (!content) throw new Problem('file-invalid', `${path} does not exist: build the image first (npm run image)`);
  const record = JSON.parse(Buffer.from(content).toString('utf8')) as BuildRecord;
  if (record.format !== FORMAT) {
    throw new Problem('file-invalid', `${path} has the format "${record.format}", this is for ${FORMAT}`);
  }
  return record;
}
