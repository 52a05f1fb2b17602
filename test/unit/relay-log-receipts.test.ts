/** Log receipts at the relay: what a sender gets of a block that is gone by the time of the answer. */
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { toHex } from '../../protocol/text.ts';
import { LogReceipts } from '../../relay/log/log-receipts.ts';
import type { LogView } from '../../relay/log/log-view.ts';
import { ORIGIN } from '../fixtures/log.ts';
import { seed } from '../fixtures/protocol.ts';

t.test('a block that is read while its record is made durable still gives its sender a receipt', async (t) => {
  const id = toHex(seed('transfer').subarray(0, 16));
  const receipts = new LogReceipts({
    engine,
    signer: { receipt: async () => seed('signed') },
    onFault: (fact: string) => t.fail(fact),
    log: { mode: 'required', epochs: [] } as unknown as LogView,
  });
  const recorded = { origin: ORIGIN, index: 7, leaf: seed('leaf'), entry: seed('entry'), timeMs: 5 };
  receipts.keep(id, { sender: 'did:x', recorded, salt: seed('salt') });
  const items = receipts.forSender(id);
  receipts.forget(id);
  t.same((await items()).map(({ type }) => type).sort(), ['commitSalt', 'logReceipt', 'logRecord']);
  t.same(await receipts.forSender(id)(), [], 'asked for afterwards there is nothing to say');
});
