/** What is done to a log, as the viewer names it. */
import { join } from 'node:path';
import t from 'tap';
import type { PreviousEpoch } from '../../protocol/epoch-opening.ts';
import { makeAuditExport } from '../fixtures/audit-export.ts';
import { type Files, filesOf, session } from '../fixtures/viewer-session.ts';

t.test('each attack on a log is named in the page', async (t) => {
  const work = t.testdir();
  const two = makeAuditExport(join(work, 'two'), { records: [40, 700] });
  const { open } = session();
  const [old] = two.epochs;
  const changed = (change: (files: Files) => void): Files => {
    const files = filesOf(two.folder);
    change(files);
    return files;
  };
  const move = (files: Files, from: string, to: string): void => {
    for (const [path, bytes] of [...files].filter(([path]) => path.startsWith(from))) {
      files.delete(path);
      files.set(to + path.slice(from.length), bytes);
    }
  };
  const swap = (files: Files, a: string, b: string): void => {
    const [first, second] = [files.get(a)!, files.get(b)!];
    files.set(a, second).set(b, first);
  };
  const zeros = new Uint8Array(2 ** 23);
  const lying = (name: string, prev: (first: PreviousEpoch) => PreviousEpoch, shiftMs = 0) => {
    let first: PreviousEpoch | undefined;
    const { folder } = makeAuditExport(join(work, name), {
      records: [2000, 50, 60],
      live: true,
      opening(epoch, event) {
        if (epoch === 1) first = event.obj.prev;
        if (epoch < 2) return event;
        return { ...event, t: event.t - shiftMs, obj: { ...event.obj, prev: prev(first!) } };
      },
    });
    return filesOf(folder);
  };
  const cases: readonly [what: string, files: Files, code: string, file: RegExp][] = [
    ['two epochs with one predecessor', lying('fork', (first) => first), 'log-forked', /^epochs\/.*\/epoch$/],
    ['a cloned identity', lying('clone', () => ({ source: 'none' }), 90_000), 'log-forked', /^epochs\/.*\/epoch$/],
    [
      'a rolled-back checkpoint',
      changed((files) => files.set('checkpoint', files.get('checkpoints/350')!)),
      'log-rolled-back',
      /^checkpoint$/,
    ],
    [
      'a swapped epoch',
      changed((files) => move(files, `earlier/${old!.id}/`, `earlier/${'0'.repeat(32)}/`)),
      'log-export-invalid',
      /^earlier\/0+\/epoch$/,
    ],
    ['a missing tile', changed((files) => files.delete('tile/0/001')), 'log-missing', /^tile\/0\/001$/],
    [
      'tiles in another order',
      changed((files) => swap(files, 'tile/0/000', 'tile/0/001')),
      'log-tile-invalid',
      /^tile\/0\/00/,
    ],
    [
      'a stripped identity line',
      changed((files) => {
        const note = Buffer.from(files.get('checkpoints/350')!).toString();
        files.set('checkpoints/350', Buffer.from(note.replace(/\n\n.*\n/, '\n\n')));
      }),
      'log-checkpoint-invalid',
      /^checkpoints\/350$/,
    ],
    [
      'a truncated stick',
      changed((files) => files.set('tile/entries/002.p/188', files.get('tile/entries/002.p/188')!.subarray(0, 1000))),
      'log-tile-invalid',
      /^tile\/entries\/002\.p\/188$/,
    ],
    [
      'a file that is far too large',
      changed((files) => files.set('tile/entries/001', zeros)),
      'file-invalid',
      /^tile\/entries\/001$/,
    ],
    [
      'a hash tile that is far too large',
      changed((files) => files.set('tile/0/001', zeros)),
      'file-invalid',
      /^tile\/0\/001$/,
    ],
    [
      'a path that leads outside',
      changed((files) => {
        const manifest = Buffer.from(files.get('manifest.json')!).toString();
        files.set('manifest.json', Buffer.from(manifest.replace('"checkpoint":', '"../../x":')));
      }),
      'schema-invalid',
      /^manifest\.json$/,
    ],
  ];
  for (const [what, files, code, file] of cases) {
    const { failures } = open(files);
    t.ok(
      failures.some((each) => each.code === code && file.test(each.file)),
      `${what}: ${JSON.stringify(failures.slice(0, 3))}`,
    );
  }
  const tricky = changed((files) => files.set('../../etc/passwd', zeros).set('tile/entries/000.gz', zeros));
  t.match(
    open(tricky),
    { failures: [], notices: { length: 2 } },
    'what is no part of an export is told of, and not read',
  );
});
