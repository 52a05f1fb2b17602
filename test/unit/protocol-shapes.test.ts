import t from 'tap';
import { check, type Shape } from '../../protocol/shape.ts';
import {
  bytesText,
  didText,
  nameText,
  pinText,
  role,
  siteIdText,
  timeMs,
  verifyingKeys,
  version1,
  zone,
} from '../../protocol/shapes.ts';
import { refuses } from '../fixtures/protocol.ts';

const DID = `did:paramant:Qm${'a'.repeat(44)}`;

t.test('shared shapes accept what they describe and nothing else', async (t) => {
  const cases: [string, Shape<unknown>, unknown[], unknown[]][] = [
    ['name', nameText, ['a', 'plc-A1', '1_x.y', 'a'.repeat(63)], ['', '-a', '.a', 'a b', 'é', 'a'.repeat(64)]],
    ['did', didText, [DID], [`${DID}a`, DID.slice(1), DID.replace('Qm', 'Q0'), DID.replace('paramant', 'parament')]],
    ['site id', siteIdText, ['0'.repeat(32)], ['0'.repeat(31), 'A'.repeat(32)]],
    ['pin', pinText, [`sha256/${'A'.repeat(43)}`], [`sha1/${'A'.repeat(43)}`, `sha256/${'+'.repeat(43)}`]],
    ['role', role, ['send', 'operate'], ['admin']],
    ['zone', zone, ['ot', 'management'], ['dmz']],
    ['version', version1, [1], [2, '1']],
    ['time', timeMs, [0, Number.MAX_SAFE_INTEGER], [-1, 0.5]],
    ['16 bytes', bytesText(16), ['A'.repeat(22)], ['A'.repeat(21), 'A'.repeat(23), `${'A'.repeat(21)}=`]],
    ['keys', verifyingKeys, [{ ed25519: 'A'.repeat(43), mldsa65: 'A'.repeat(2603) }], [{ ed25519: 'A'.repeat(43) }]],
  ];
  for (const [what, shape, good, bad] of cases) {
    for (const value of good) t.same(check(shape, value), value, `${what}: ${JSON.stringify(value).slice(0, 40)}`);
    for (const value of bad) {
      refuses(t, 'schema-invalid', () => check(shape, value), `${what}, not ${JSON.stringify(value).slice(0, 40)}`);
    }
  }
});
