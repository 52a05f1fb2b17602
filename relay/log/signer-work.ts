/** The thread of the signer. Started by signer-thread.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { LogSigner } from './signer.ts';
import { takeTasks } from './signer-tasks.ts';
import type { SignerStart } from './signer-thread.ts';

const { logSeed, ...start } = workerData as SignerStart;
const signer = new LogSigner(nativeEngine, logSeed);
logSeed.fill(0);
parentPort!.on(
  'message',
  takeTasks(signer, start, (answer) => parentPort!.postMessage(answer)),
);
