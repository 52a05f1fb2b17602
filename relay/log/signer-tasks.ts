/** What the thread of the signer does with its tasks: one after the other, with an answer to each that wants one. */
import { asProblem } from '../../protocol/problem.ts';
import type { LogSigner } from './signer.ts';
import type { SignerAnswer, SignerStart, SignerTask } from './signer-thread.ts';

/** Takes tasks in the order of their coming; what it gives resolves when the task is done. */
export function takeTasks(
  signer: LogSigner,
  { atOnce, signal }: Pick<SignerStart, 'atOnce' | 'signal'>,
  post: (answer: SignerAnswer<unknown>) => void,
): (task: SignerTask) => Promise<void> {
  let work: Promise<void> = Promise.resolve();
  return (task) => {
    work = work.then(() => done(task));
    return work;
  };

  async function done(task: SignerTask): Promise<void> {
    switch (task.task) {
      case 'open':
        atOnce.postMessage(await answer(0, async () => signer.open(task.event)));
        Atomics.store(signal, 0, 1);
        Atomics.notify(signal, 0);
        return;
      case 'head':
        return post(await answer(task.id, () => signer.head(task.request)));
      case 'receipt':
        return post(await answer(task.id, () => signer.receipt(task.origin, task.receipt)));
      case 'commit':
        return post(await answer(task.id, () => signer.commit(task.origin, task.below, task.chain)));
      case 'end':
        signer.end(task.origin);
    }
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
