/** What a plan is printed as: text, picture, firewall, and the command around them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { escapeMarkup } from '../../tools/lib/markup.ts';
import { nftablesOf } from '../../tools/lib/nftables.ts';
import { main } from '../../tools/provision/main.ts';
import { label, wrapped } from '../../tools/provision/plan/drawing.ts';
import { planSvg } from '../../tools/provision/plan/svg.ts';
import { planText } from '../../tools/provision/plan/text.ts';
import { captured } from '../fixtures/command.ts';
import { IT, MANAGEMENT, OT, planFor, relayOf, rosterOf } from '../fixtures/plans.ts';

/** Runs the command with `line`, in which @ stands for the folder of the test. */
function run(t: Test, line: string) {
  return captured(t, () => main(line.replaceAll('@', t.testdirName).split(' ')));
}

/** Names of elements that were opened and not closed, or the other way round. */
function unbalanced(xml: string): string[] {
  const open: string[] = [];
  for (const [, closing, name, empty] of xml.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
    if (empty) continue;
    if (!closing) open.push(name!);
    else if (open.pop() !== name) return [name!];
  }
  return open;
}

t.test('the text has zones, conduits, flows, load, controls, and what is refused last', async (t) => {
  const text = planText(planFor(rosterOf(t.testdir(), 20), undefined, { linkMbit: 100 }));
  const order = [
    'Zone ot (interface eth0)',
    'Zone it',
    'Zone management',
    'Conduits',
    'Flows',
    'Load',
    'Controls',
    'REFUSED',
  ];
  t.same(
    order.filter((title) => !text.includes(title)),
    [],
  );
  t.ok(
    order.every((title, at) => at === 0 || text.indexOf(title) > text.indexOf(order[at - 1]!)),
    'in this order',
  );
  t.match(text, /firmware +it -> ot +closed/);
  t.match(text, /plc-0 +-> relay -> +historian +read by 1 of 1/);
  t.match(text, /firewall +SR 5\.2, SR 5\.2 RE\(1\)/);
  t.match(text, /receipts and keys +it -> ot +always +delivery receipts and the keys of receivers/);
  const bare = planText(planFor({ ...rosterOf(t.testdir(), 0), devices: [] }, relayOf([IT]), { interfaces: {} }));
  t.match(bare, /Zone ot \(interface not named\)\n {2}no listener\n {2}no devices/);
  t.match(bare, /none: no sender has a route/);
});

t.test('the picture is one self-contained file without a script', async (t) => {
  for (const plan of [
    planFor(rosterOf(t.testdir(), 20), undefined, { linkMbit: 100 }),
    planFor(
      rosterOf(t.testdir(), 1),
      relayOf([
        { ...OT, calls: ['inbound', 'claim'] },
        { ...IT, calls: ['inbound', 'claim'] },
      ]),
    ),
    planFor({ ...rosterOf(t.testdir(), 0), devices: [], routes: [] }, relayOf([MANAGEMENT]), { interfaces: {} }),
  ]) {
    const svg = planSvg(plan);
    t.same(unbalanced(svg), []);
    t.notMatch(svg.replace('http://www.w3.org/2000/svg', ''), /<script|href|https?:|url\(|NaN|undefined|Infinity/);
  }
  const crowded = planSvg(planFor(rosterOf(t.testdir(), 20), undefined, { linkMbit: 100 }));
  t.match(crowded, /and 14 more devices/);
  t.match(crowded, /REFUSED/);
  t.match(crowded, /firmware: it to ot.*\n.*closed/);
  t.match(crowded, /receipts, keys: it to ot/);
  const opened = planSvg(
    planFor(
      rosterOf(t.testdir(), 1),
      relayOf([
        { ...OT, calls: ['inbound', 'claim'] },
        { ...IT, calls: ['inbound', 'claim'] },
      ]),
    ),
  );
  t.notMatch(opened, />closed</);
});

t.test('texts of a picture are escaped, cut and wrapped', async (t) => {
  t.equal(escapeMarkup('<b x="1" y=\'2\'>&\u0000\ud800'), '&lt;b x=&quot;1&quot; y=&#39;2&#39;&gt;&amp;??');
  t.match(label(0, 0, 'a'.repeat(100), 50, { size: 10 }), />a{7}…</);
  t.same(wrapped('one two three four', 60, 10), ['one two', 'three four']);
});

t.test('the firewall names each listener once, by its interface and address', async (t) => {
  const v6 = { ...IT, address: 'fd00::2' };
  const wild = { ...MANAGEMENT, address: '0.0.0.0' };
  const own = { ...MANAGEMENT, address: '127.0.0.1', port: 9000 };
  const rules = nftablesOf(planFor(rosterOf(t.testdir(), 1), relayOf([OT, v6, wild, own])));
  t.match(
    rules,
    /iifname "eth0" jump input_ot\n {4}iifname "eth1" jump input_it\n {4}iifname "eth2" jump input_management/,
  );
  t.match(rules, /chain input_ot \{\n.* ct state related accept\n {4}ip daddr 10\.20\.0\.1 tcp dport 3000 ct state/);
  t.match(
    rules,
    /nd-neighbor-solicit, nd-neighbor-advert \} ip6 hoplimit 255 accept\n.*\n {4}ip6 daddr fd00::2 tcp dport/,
  );
  t.match(rules, /meta nfproto ipv4 tcp sport 3000 ct state established accept/);
  t.notMatch(rules, /9000/, 'no rule lets a loopback listener out');
  t.equal(rules.match(/policy drop/g)!.length, 3);
  const all = nftablesOf(planFor(rosterOf(t.testdir(), 1), relayOf([{ ...OT, address: '::' }, IT, MANAGEMENT])));
  t.match(all, /\n {4}tcp dport 3000 ct state \{ new, established \} accept/);
  const nameless = planFor(rosterOf(t.testdir(), 1), undefined, { interfaces: { ot: 'eth0', it: 'eth1' } });
  t.throws(() => nftablesOf(nameless), { code: 'usage', message: /--interface management=NAME/ });
});

t.test('the command: options, files, exit codes', async (t) => {
  t.testdir();
  const made = await run(t, 'site plant-1 --url https://10.20.0.1:3000 --dir @/site');
  t.equal(made.code, 0, made.err);
  const plain = await run(t, 'plan --dir @/site --svg @/zones.svg');
  t.equal(plain.code, 0, plain.err);
  t.match(plain.out, /one NIC: ot, it, management share 10\.20\.0\.1/);
  t.match(readFileSync(join(t.testdirName, 'zones.svg'), 'utf8'), /^<\?xml.*<svg /s);
  const json = await run(t, 'plan --dir @/site --json --board pi3');
  t.match(JSON.parse(json.out), { ok: true, siteName: 'plant-1', board: 'pi3', excesses: [], zones: [{ zone: 'ot' }] });
  const cards = '--interface ot=eth0 --interface it=eth1 --interface management=eth2';
  const ruleset = (await run(t, `plan --dir @/site --nftables ${cards}`)).out;
  t.match(ruleset, /^#!\/usr\/sbin\/nft -f/);
  const asJson = await run(t, `plan --dir @/site --nftables --json ${cards}`);
  t.same([asJson.code, JSON.parse(asJson.out)], [0, { ok: true, ruleset, excesses: [] }]);

  await run(t, 'device historian --role receive --zone it --dir @/site --out @/h');
  await run(t, 'device plc --role send --zone ot --to historian --dir @/site --out @/p');
  const refused = await run(t, 'plan --dir @/site --link 5');
  t.equal(refused.code, 1);
  t.match(refused.out, /REFUSED\n {2}link 10\.20\.0\.1/);
  t.match(JSON.parse((await run(t, 'plan --dir @/site --link 5 --json')).out), {
    ok: false,
    excesses: [{ what: 'link' }],
  });
  const none = await run(t, `plan --dir @/site --link 1 --nftables ${cards}`);
  t.same([none.code, none.out], [1, ''], 'no firewall for a plan that is refused');
  t.match(none.err, /refused: link eth0/);
  const noneAsJson = await run(t, `plan --dir @/site --link 1 --nftables --json ${cards}`);
  t.match(
    [noneAsJson.code, JSON.parse(noneAsJson.out)],
    [1, { ok: false, ruleset: null, excesses: [{ what: 'link' }] }],
  );

  const wrong: readonly [line: string, exit: number, words: RegExp][] = [
    ['--board toaster', 2, /--board must be one of pi4, pi3, arm64, vm, not "toaster"/],
    ['--interface attic=eth0', 2, /--interface: must be one of ot, it, management/],
    ['--interface ot=eth0";accept', 2, /--interface: must be the name of a network interface/],
    ['--interface ot', 2, /--interface: must be the name/],
    ['--link none', 2, /--link must be a number/],
    ['--nftables', 2, /needs the interface of zone ot/],
    ['--svg @/missing/zones.svg', 2, /zones\.svg cannot be written \(ENOENT\)/],
  ];
  for (const [line, exit, words] of wrong) {
    const { code, err } = await run(t, `plan --dir @/site ${line}`);
    t.equal(code, exit, line);
    t.match(err, words, line);
  }
});

t.test("a relay's file that is missing, broken or of another site is refused", async (t) => {
  t.testdir();
  await run(t, 'site plant-1 --url https://10.20.0.1:3000 --dir @/a');
  await run(t, 'site plant-1 --url https://10.20.0.1:3000 --dir @/b');
  const file = join(t.testdirName, 'a', 'relay', 'relay.yaml');
  const cases: readonly [text: string, exit: number, words: RegExp][] = [
    ['listeners: [', 3, /relay\.yaml: .*\[config-invalid\]/],
    ['listeners: []', 3, /list of 1 to 16 items.*\[config-invalid\]/],
    [
      readFileSync(join(t.testdirName, 'b', 'relay', 'relay.yaml'), 'utf8'),
      1,
      /relay\.yaml is of site .*\[site-mismatch\]/,
    ],
  ];
  for (const [text, exit, words] of cases) {
    writeFileSync(file, text);
    const { code, err } = await run(t, 'plan --dir @/a');
    t.equal(code, exit, text);
    t.match(err, words);
  }
});
