/** What `ghostpipe status` makes of a relay's answer. */
import t from 'tap';
import type { Problem } from '../../protocol/problem.ts';
import { parseStatus, statusText } from '../../tools/ghostpipe/status-text.ts';

const DEVICE = {
  name: 'plc-A1',
  did: 'did:paramant:x',
  zone: 'ot',
  roles: ['send'],
  registered: true,
  registeredSeconds: 70,
  lastBlockSeconds: 61,
  lastClaimSeconds: null,
  blocksHeld: 2,
  blocksWaiting: 0,
};
const ANSWER = {
  status: 'ready',
  reasons: [],
  notices: ['every slot is in use'],
  name: 'plant-1',
  software: 'ghostpipe 0.1.0',
  uptimeSeconds: 75,
  epoch: '0'.repeat(32),
  rosterVersion: 3,
  blockBytes: 65_536,
  slots: { free: 1, used: 2, burning: 0 },
  registeredDevices: 1,
  intervalSeconds: 0.2,
  facts: [{ name: 'Running for', value: '1 min 15 s' }],
  devices: [DEVICE, { ...DEVICE, name: 'historian', roles: ['receive'], registered: false, lastBlockSeconds: null }],
};

t.test('the status at a glance', async (t) => {
  t.equal(
    statusText(parseStatus(ANSWER)),
    [
      'Relay plant-1: ready',
      '  Notice: every slot is in use',
      '  Slots        2 of 3 in use, 0 being overwritten',
      '  Running for  1 min 15 s',
      '',
      'DEVICE     ZONE  ROLES    REGISTERED  LAST BLOCK  LAST CLAIM  HELD  WAITING',
      'plc-A1     ot    send     yes         61 s ago    -           2     0',
      'historian  ot    receive  NO          -           none        2     0',
      '',
    ].join('\n'),
  );
  t.match(statusText(parseStatus({ ...ANSWER, useNotice: 'Ours.' })), /^Ours\.\n\nRelay plant-1: ready\n/);
  const { slots: _, ...noSite } = { ...ANSWER, status: 'not-ready', reasons: ['no site'], notices: [], devices: [] };
  t.equal(statusText(parseStatus(noSite)), 'Relay plant-1: NOT READY\n  no site\n  Running for  1 min 15 s\n');
});

t.test('an answer of another form is refused, above all one that would write into the terminal', async (t) => {
  const refused = (change: object): string => {
    try {
      parseStatus({ ...ANSWER, ...change });
    } catch (thrown) {
      return (thrown as Problem).code;
    }
    return 'accepted';
  };
  t.equal(refused({}), 'accepted');
  for (const change of [
    { status: 'fine' },
    { notices: ['\x1b[2J'] },
    { facts: [{ name: 'a', value: 'b\nc' }] },
    { devices: [{ ...DEVICE, name: '<plc>' }] },
    { devices: [{ ...DEVICE, lastBlockSeconds: -1 }] },
    { intervalSeconds: 'soon' },
    { colour: 'red' },
  ]) {
    t.equal(refused(change), 'relay-answer-invalid', JSON.stringify(change));
  }
});
