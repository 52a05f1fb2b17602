/** The tasks of the signer's thread, in this thread: each is answered, in order, also when it is refused. */
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { LogSigner } from '../../relay/log/signer.ts';
import { takeTasks } from '../../relay/log/signer-tasks.ts';
import type { SignerAnswer } from '../../relay/log/signer-thread.ts';
import { epochEvent, ORIGIN, SECONDS } from '../fixtures/log.ts';
import { seed } from '../fixtures/protocol.ts';

t.test('opened at once, heads, receipts and commits answered, a refusal told by its code', async (t) => {
  const { port1, port2 } = new MessageChannel();
  t.teardown(() => port1.close());
  const signal = new Int32Array(new SharedArrayBuffer(4));
  const answers: SignerAnswer<unknown>[] = [];
  const signer = new LogSigner(engine, seed('log of the tasks'));
  const take = takeTasks(signer, { atOnce: port2, signal }, (answer) => void answers.push(answer));
  await take({ task: 'open', event: epochEvent() });
  t.equal(signal[0], 1);
  t.match(receiveMessageOnPort(port1)?.message, { id: 0, value: { statement: Uint8Array } });
  const root = seed('root of one leaf');
  const receipt = {
    originHash: engine.sha256(Buffer.from(ORIGIN)),
    transferId: new Uint8Array(16),
    index: 0,
    leafHash: seed('leaf'),
    timeMs: 5,
    mode: 'best-effort',
    withinSeconds: 60,
  } as const;
  void take({ task: 'head', id: 1, request: { origin: ORIGIN, size: 1, root, seconds: SECONDS, proof: [] } });
  void take({ task: 'receipt', id: 2, origin: ORIGIN, receipt });
  void take({ task: 'commit', id: 3, origin: ORIGIN, below: 1, chain: seed('chain') });
  void take({ task: 'receipt', id: 4, origin: 'relay-1/audit/of-nobody', receipt });
  await take({ task: 'end', origin: ORIGIN });
  t.match(answers, [
    { id: 1, value: Uint8Array },
    { id: 2, value: Uint8Array },
    { id: 3, value: Uint8Array },
    { id: 4, code: String, detail: String },
  ]);
});
