/** The status of a relay: who was last heard when, one model, and the page that shows it. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { Activity } from '../../relay/monitor/activity.ts';
import { html } from '../../relay/monitor/html.ts';
import { inWords, type Status } from '../../relay/monitor/status.ts';
import { STATUS_PAGE_HEADERS, statusPage } from '../../relay/monitor/status-page.ts';
import type { DeliveryEvent } from '../../relay/store/event.ts';

function event(type: DeliveryEvent['type'], transferId: string, sender = 'plc'): DeliveryEvent {
  return { type, transferId, sender };
}

t.test('activity: the newest moment of each device counts, and the oldest held block', async (t) => {
  let now = 1000;
  const activity = new Activity(() => now);
  t.same(activity.ages('plc'), { blockMs: null, claimMs: null, registeredMs: null });
  t.equal(activity.oldestBlockMs, null);
  activity.adopted('earlier');
  activity.registered('plc');
  now += 10;
  activity.registered('plc');
  activity.delivery(event('accepted', 'a'));
  now += 10;
  activity.delivery(event('accepted', 'b'));
  activity.delivery(event('leased', 'b', 'plc'));
  activity.claimed('historian');
  now += 5;
  t.same(activity.ages('plc'), { blockMs: 5, claimMs: null, registeredMs: 25 }, 'registered first, sent last');
  t.same(activity.ages('historian'), { blockMs: null, claimMs: 5, registeredMs: null });
  t.equal(activity.oldestBlockMs, 25);
  activity.delivery(event('burned', 'earlier'));
  t.equal(activity.oldestBlockMs, 15);
  for (const id of ['a', 'b']) activity.delivery(event('burned', id));
  t.equal(activity.oldestBlockMs, null);
  activity.enforce((did) => did === 'historian');
  t.same(activity.ages('plc'), { blockMs: null, claimMs: null, registeredMs: null }, 'forgotten with the device');
  t.equal(activity.ages('historian').claimMs, 5);
});

t.test('ages in words: the two largest units', async (t) => {
  const words = [0, 0.9, 59, 60, 61, 3600, 3660, 3661, 86_399, 86_400, 90_061].map(inWords);
  t.same(words, [
    '0 s',
    '0 s',
    '59 s',
    '1 min',
    '1 min 1 s',
    '1 h',
    '1 h 1 min',
    '1 h 1 min',
    '23 h 59 min',
    '1 d',
    '1 d 1 h',
  ]);
});

t.test('html escapes whatever is no markup', async (t) => {
  const bad = `<script>"&'`;
  t.equal(
    html`<p title="${bad}">${bad}</p>`.text,
    '<p title="&lt;script&gt;&quot;&amp;&#39;">&lt;script&gt;&quot;&amp;&#39;</p>',
  );
  t.equal(
    html`<ul>${['a', '<'].map((item) => html`<li>${item}</li>`)}</ul>${7}`.text,
    '<ul><li>a</li><li>&lt;</li></ul>7',
  );
});

const BAD = `"><script src=https://x.example/></script><style>*{}</style>`;
const STATUS: Status = {
  status: 'ready',
  reasons: [],
  notices: ['every slot is in use'],
  name: 'plant-1',
  software: 'ghostpipe 0.1.0',
  uptimeSeconds: 75,
  slots: { free: 1, used: 2, burning: 1 },
  intervalSeconds: 0.2,
  facts: [{ name: 'Running for', value: '1 min 15 s' }],
  devices: [
    {
      name: 'plc-A1',
      did: 'did:paramant:x',
      zone: 'ot',
      roles: ['send', 'receive'],
      registered: true,
      registeredSeconds: 70,
      lastBlockSeconds: 61,
      lastClaimSeconds: null,
      blocksHeld: 2,
      blocksWaiting: 3,
    },
    {
      name: 'auditor',
      did: 'did:paramant:y',
      zone: 'management',
      roles: ['audit'],
      registered: false,
      registeredSeconds: null,
      lastBlockSeconds: null,
      lastClaimSeconds: null,
      blocksHeld: 0,
      blocksWaiting: 0,
    },
  ],
};

/** The texts of all elements of that name. */
function textsOf(page: string, element: string): string[] {
  return [...page.matchAll(new RegExp(`<${element}[ >][^<]*`, 'g'))].map(([found]) => found.replace(/^<[^>]*>/, ''));
}

t.test('the page says it in plain words', async (t) => {
  const page = statusPage(STATUS);
  t.match(page, /<title>Ready: relay plant-1<\/title>/);
  t.match(page, /<p class="state ready">Ready<\/p>\s*<p class="notice">Notice: every slot is in use<\/p>/);
  t.match(page, /<meta http-equiv="refresh" content="1">/, 'not more often than each second');
  t.match(page, /<svg viewBox="0 0 4 1"[^>]*aria-label="2 of 4 in use, 1 being overwritten, 1 free">/);
  t.match(page, /<dt>Running for<\/dt><dd>1 min 15 s<\/dd>/);
  t.match(textsOf(page, 'th'), ['Device', 'Zone', 'Roles', 'Registered', 'Last block', 'Last claim', 'Blocks']);
  const cells = textsOf(page.replaceAll(/<\/?span[^>]*>/g, ''), 'td');
  t.same(cells.slice(0, 7), ['plc-A1', 'ot', 'send, receive', 'yes', '1 min 1 s ago', 'none yet', '2 held, 3 waiting']);
  t.same(cells.slice(7), ['auditor', 'management', 'audit', 'no', '–', '–', '–']);
  t.match(
    statusPage({ ...STATUS, useNotice: 'Ours.' }),
    /<body>\s*<p class="use">Ours\.<\/p>\s*<h1>/,
    'before all else',
  );
  const { slots: _, ...noSite } = { ...STATUS, status: 'not-ready' as const, reasons: ['no site'], devices: [] };
  const other = statusPage(noSite);
  t.match(other, /<p class="state not-ready">Not ready<\/p>\s*<p class="not-ready">no site<\/p>/);
  t.notMatch(other, /<svg|<table/);
});

t.test(
  'the page holds nothing but itself: no script, no address, one style that the policy names by its hash',
  async (t) => {
    const evil = {
      ...STATUS,
      name: BAD,
      software: BAD,
      reasons: [BAD],
      notices: [BAD],
      facts: [{ name: BAD, value: BAD }],
    };
    const page = statusPage({ ...evil, devices: [{ ...STATUS.devices[0]!, name: BAD }] });
    t.equal(page.split('&lt;script src=').length - 1, 7, 'each stands there, escaped');
    t.notMatch(page, /<script|<iframe|<img|<form|<a |\son\w+=|\sstyle=|\ssrc=(?!https)/);
    const styles = [...page.matchAll(/<style>([\s\S]*?)<\/style>/g)].map(([, style]) => style!);
    t.equal(styles.length, 1);
    const hash = createHash('sha256').update(styles[0]!).digest('base64');
    const policy = STATUS_PAGE_HEADERS['content-security-policy'];
    t.match(policy, `style-src 'sha256-${hash}'`);
    t.match(policy, /^default-src 'none'; /);
    t.notMatch(policy, /unsafe|script-src|\*/);
    t.notMatch(styles[0]!, /url\(|@import/);
    const balanced = [
      'html',
      'head',
      'body',
      'table',
      'tr',
      'td',
      'th',
      'dl',
      'dt',
      'dd',
      'p',
      'svg',
      'h1',
      'h2',
      'span',
    ];
    for (const element of balanced) {
      const count = (tag: RegExp) => page.match(tag)?.length ?? 0;
      t.equal(count(new RegExp(`<${element}[ >]`, 'g')), count(new RegExp(`</${element}>`, 'g')), element);
    }
  },
);
