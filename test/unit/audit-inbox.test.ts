/** Cosignatures that an export carries: true ones hold, foreign, changed, misplaced and contradicting ones are named. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { signCheckpoint } from '../../protocol/checkpoint.ts';
import { cosign } from '../../protocol/cosignature.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { formatNote, parseNote } from '../../protocol/note.ts';
import { formatVerifierKey } from '../../protocol/note-key.ts';
import { toHex } from '../../protocol/text.ts';
import { checkExport } from '../../tools/audit/export-check.ts';
import { main } from '../../tools/audit/main.ts';
import { changeFile, type MadeEpoch, makeAuditExport } from '../fixtures/audit-export.ts';
import { captured } from '../fixtures/command.ts';
import { seed } from '../fixtures/protocol.ts';

const archive = engine.singleKey('ml-dsa-44', seed('archive'));
const stranger = engine.singleKey('ml-dsa-44', seed('stranger'));
const ARCHIVE = { name: 'plant-1-archive', algorithm: archive.algorithm, publicKey: archive.publicKey };

interface Changes {
  readonly root?: Uint8Array;
  readonly size?: number;
  readonly by?: typeof archive;
  /** Size in the name of the file. */
  readonly named?: number;
  /** Hash of the origin in the name of the file. */
  readonly of?: string;
  readonly change?: (note: Buffer) => string;
}

/** An export with a cosignature in its inbox. */
function made(t: Test, { root, size, by = archive, named, of, change }: Changes = {}) {
  const folder = join(t.testdir(), 'export');
  const { epochs, logPin } = makeAuditExport(folder, { records: [40, 300] });
  const epoch: MadeEpoch = epochs[1]!;
  const newest = epoch.heads.at(-1)!;
  const head = { origin: epoch.origin, size: size ?? newest.size, root: root ?? newest.root };
  const { text, signatures } = parseNote(signCheckpoint(engine, head, newest.seconds + 60, epoch.signers));
  const bytes = formatNote({ text, signatures: [...signatures, cosign(engine, ARCHIVE.name, by, head, 2e9)] });
  const hash = of ?? toHex(engine.sha256(Buffer.from(epoch.origin)));
  const file = join(folder, 'inbox', hash, `${named ?? head.size}.cosig`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  if (change) changeFile(file, change);
  return { folder, logPin, file };
}

t.test('a true one holds, and is told of without the key of who signed', (t) => {
  const { folder, logPin } = made(t);
  t.match(checkExport({ engine, folder, logPin, cosigners: [ARCHIVE] }), { ok: true, failures: [] });
  t.match(checkExport({ engine, folder, logPin }), { ok: true, notices: [/1 cosignatures in inbox.*--cosigner-key/] });
  t.end();
});

t.test('what does not hold is named', async (t) => {
  const cases: readonly [what: string, changes: Changes, code: string, detail: RegExp][] = [
    ['a foreign one', { by: stranger }, 'signature-invalid', /a foreign cosignature: it has lines of plant-1-archive/],
    [
      'one of nobody',
      { change: (note) => note.toString().replace(/— plant-1-archive .*\n/, '') },
      'signature-invalid',
      /nobody but the relay/,
    ],
    [
      'a changed line',
      { change: (note) => note.toString().replace(/(— plant-1-archive .{60})./, '$1A') },
      'signature-invalid',
      /is no cosignature/,
    ],
    ['another root', { root: seed('another root') }, 'log-forked', /the root of 300 leaves is/],
    ['a root in the middle', { size: 77, root: seed('another root') }, 'log-forked', /the root of 77 leaves is/],
    [
      'more than is here',
      { size: 301 },
      'log-rolled-back',
      /an archive holds 301 leaves, the newest head here has 300/,
    ],
    ['another name', { named: 299 }, 'log-export-invalid', /it is of size 300, its name says 299/],
    [
      'a checkpoint that the relay did not sign',
      { change: (note) => note.toString().replace(/\n300\n./, '\n300\nA') },
      'signature-invalid',
      /./,
    ],
  ];
  for (const [what, changes, code, detail] of cases) {
    const { folder, logPin } = made(t, changes);
    const report = checkExport({ engine, folder, logPin, cosigners: [ARCHIVE] });
    t.match(report, { ok: false, failureCount: 1, failures: [{ code, file: /^inbox\/.*\.cosig$/, detail }] }, what);
  }
  const elsewhere = made(t, { of: '0'.repeat(64) });
  t.match(checkExport({ engine, folder: elsewhere.folder, logPin: elsewhere.logPin }), {
    ok: true,
    notices: [/is of an epoch that is not here/],
  });
});

t.test('the line of an archive under a head has to hold too', (t) => {
  const { folder, logPin } = made(t);
  const path = join(folder, 'checkpoints', '300');
  changeFile(path, (bytes) => {
    const { text, signatures } = parseNote(bytes);
    const head = { origin: text.split('\n')[0]!, size: 299, root: seed('x') };
    return formatNote({ text, signatures: [...signatures, cosign(engine, ARCHIVE.name, archive, head, 2e9)] });
  });
  const report = checkExport({ engine, folder, logPin, cosigners: [ARCHIVE], noManifest: true });
  t.match(report, { failureCount: 1, failures: [{ code: 'signature-invalid', file: 'checkpoints/300' }] });
  t.end();
});

t.test('by the command, with the keys in a file', async (t) => {
  const { folder, logPin } = made(t);
  const keys = join(folder, '..', 'archives.vkey');
  const verify = () => captured(t, () => main(['verify', folder, '--log-key', logPin, '--cosigner-key', keys]));
  t.match(await verify(), { code: 3, err: /key-missing/ });
  writeFileSync(keys, `${formatVerifierKey(engine, ARCHIVE)}\n`);
  t.match(await verify(), { code: 0, out: /VERIFIED/ });
  writeFileSync(keys, `${formatVerifierKey(engine, { ...ARCHIVE, publicKey: stranger.publicKey })}\n`);
  t.match(await verify(), { code: 1, out: /inbox\/.*: a foreign cosignature/ });
  writeFileSync(keys, 'no key\n');
  t.match(await verify(), { code: 3, err: /archives\.vkey: the verifier key is not/ });
});
