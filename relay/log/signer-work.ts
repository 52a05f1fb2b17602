/** The thread of the signer: takes tasks one after the other and answers each. Started by signer-thread.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { asProblem } from '../../protocol/problem.ts';
import { LogSigner } from './signer.ts';
import type { SignerAnswer, SignerStart, SignerTask } from './signer-thread.ts';

const { logSeed, atOnce, signal } = workerData as SignerStart;
const signer = new LogSigner(nativeEngine, logSeed);
logSeed.fill(0);

let work: Promise<void> = Promise.resolve();
parentPort!.on('message', (task: SignerTask) => {
  work = work.then(() => done(task));
});

async function done(task: SignerTask): Promise<void> {
  switch (task.task) {
    case 'open':
      atOnce.postMessage(await answer(0, async () => signer.open(task.event)));
      Atomics.store(signal, 0, 1);
      Atomics.notify(signal, 0);
      return;
    case 'head':
      return parentPort!.postMessage(await answer(task.id, () => signer.head(task.request)));
    case 'receipt':
      return parentPort!.postMessage(await answer(task.id, () => signer.receipt(task.origin, task.receipt)));
    case 'commit':
      return parentPort!.postMessage(await answer(task.id, () => signer.commit(task.origin, task.below, task.chain)));
    case 'end':
      signer.end(task.origin);
  }
}

async function answer<T>(id: number, make: () => Promise<T>): Promise<SignerAnswer<T>> {
  try {
    return { id, value: await make() };
  } catch (thrown) {
    const { code, detail } = asProblem(thrown);
    return { id, code, detail };
  }
}
