/** `paramant-receiver --check`: looks at all that a receiver needs, before it is needed. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { addProfile, lastJson } from '../fixtures/clients.ts';
import { endsWith, makePlant } from '../fixtures/flow.ts';

t.setTimeout(60_000);

t.test('--check says what it found, and what is missing, with its exit code', async (t) => {
  const plant = await makePlant(t);
  mkdirSync(plant.path('out'));
  const check = async (code: number, ...argv: string[]) => {
    const running = plant.receiver(['--check', '--output', plant.path('out'), ...argv]);
    await endsWith(t, running, code);
    return running.stdout();
  };
  const found = await check(0);
  for (const words of [
    /^ok {4}configuration: https:\/\/127\.0\.0\.1:\d+ with 1 pin\(s\)$/m,
    /^ok {4}device: historian, did:paramant:/m,
    /^ok {4}roster: version 1, zone it, roles receive; a block of 65536 bytes each 0\.1 s$/m,
    /^ok {4}relay: 127\.0\.0\.1:\d+ answers with the pinned key$/m,
    /^ok {4}registration: the relay knows this device/m,
    /^ok {4}route: plc-A1$/m,
    /^ok {4}stream marks: 0 streams$/m,
    /^ok {4}sink: .*out can be written$/m,
  ]) {
    t.match(found, words);
  }
  t.match(lastJson(await check(0, '--json')), { ok: true, checks: [{ check: 'configuration', ok: true }] });
  const { port } = plant.relay.listeners.find(({ zone }) => zone === 'it')!;
  addProfile(plant.config, 'wrong', plant.site, `https://127.0.0.1:${port}`, `sha256/${'A'.repeat(43)}`);
  t.match(await check(1, '--relay', 'wrong'), /^FAIL {2}relay: the peer's key is .*\[pin-mismatch\]$/m);
  t.match(lastJson(await check(3, '--relay', 'none', '--json')), { ok: false, checks: [{ code: 'profile-missing' }] });
  const marks = plant.path('state', plant.site.siteId, 'historian', 'receiver');
  mkdirSync(marks, { recursive: true });
  writeFileSync(join(marks, 'x.json'), 'damaged');
  t.match(await check(3), /^FAIL {2}stream marks: .*\[file-invalid\]$/m);
  rmSync(join(marks, 'x.json'));
  writeFileSync(plant.path('a-file'), '');
  const nowhere = ['--state-dir', plant.path('a-file', 'x')];
  t.match(await check(3, ...nowhere), /^FAIL {2}state folder: .* cannot be written \(ENOTDIR\)/m);
  const running = plant.receiver(['--json', ...nowhere]);
  await endsWith(t, running, 1);
  t.match(lastJson(running.stdout()), { code: 'state-failed', detail: /cannot be made \(ENOTDIR\)/ });
  await plant.stopRelay();
  t.match(await check(1), /^FAIL {2}relay: .*\[relay-unreachable\]$/m);
});
