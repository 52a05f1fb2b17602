/** The worker's side: a session that reads the files of the page as they are needed. */
import { portableEngine } from '../../../../protocol/engine/portable.ts';
import { Problem } from '../../../../protocol/problem.ts';
import type { GivenFile } from '../given-files.ts';
import type { Answer, Request } from '../messages.ts';
import { Session } from '../session.ts';

/** What only workers have, and the types of pages do not name. */
declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

export function startWorker(): void {
  const reader = new FileReaderSync();
  const fileOf = (blob: Blob): GivenFile => ({
    size: blob.size,
    bytes() {
      try {
        return new Uint8Array(reader.readAsArrayBuffer(blob));
      } catch (thrown) {
        throw new Problem('file-invalid', `the browser cannot read it: ${(thrown as Error).message}`);
      }
    },
  });
  const session = new Session({
    // Verifying draws no chance.
    engine: portableEngine((length) => new Uint8Array(length)),
    answer: (answer: Answer) => postMessage(answer),
    fileOf,
  });
  addEventListener('message', ({ data }: MessageEvent<Request>) => session.handle(data));
}
