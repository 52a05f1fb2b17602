/** A relay's status as the tool reads it, and as a person reads it in a terminal. */
import { AUDIT_MODES } from '../../protocol/log-action.ts';
import { Problem } from '../../protocol/problem.ts';
import { MAX_DEVICES } from '../../protocol/roster.ts';
import { check, flag, integer, list, type Of, object, oneOf, type Shape, text } from '../../protocol/shape.ts';
import { nameText, role, zone } from '../../protocol/shapes.ts';
import { tableLines } from '../lib/table.ts';

const sentence = text('a sentence', 0, 500);
const count = integer(0, Number.MAX_SAFE_INTEGER);
const age: Shape<number | null> = (value, path) => (value === null ? null : count(value, path));

const device = object({
  name: nameText,
  did: text('a DID', 1, 100),
  zone,
  roles: list(role, 1, 5, String),
  registered: flag,
  registeredSeconds: age,
  lastBlockSeconds: age,
  lastClaimSeconds: age,
  blocksHeld: count,
  blocksWaiting: count,
});

const siteStatus = object(
  {
    status: oneOf(['ready', 'not-ready']),
    reasons: list(sentence, 0, 64),
    notices: list(sentence, 0, 64),
    name: nameText,
    software: sentence,
    uptimeSeconds: count,
    intervalSeconds: (value, path) => integer(1, 3_600_000)(Math.round(Number(value) * 1000), path) / 1000,
    facts: list(object({ name: sentence, value: sentence }), 0, 64),
    devices: list(device, 0, MAX_DEVICES),
  },
  {
    useNotice: sentence,
    epoch: text('an epoch', 32, 32),
    rosterVersion: count,
    blockBytes: count,
    slots: object({ free: count, used: count, burning: count }),
    registeredDevices: count,
    auditMode: oneOf(AUDIT_MODES),
  },
);
export type SiteStatus = Of<typeof siteStatus>;
type Device = SiteStatus['devices'][number];

/** Checks what a relay answered; refuses `relay-answer-invalid`. */
export function parseStatus(answer: unknown): SiteStatus {
  try {
    return check(siteStatus, answer);
  } catch (thrown) {
    throw new Problem('relay-answer-invalid', `the status has another form: ${(thrown as Problem).detail}`);
  }
}

/** The status at a glance. */
export function statusText(site: SiteStatus): string {
  const { useNotice, name, status, reasons, notices, slots, facts, devices } = site;
  const width = Math.max(...facts.map((fact) => fact.name.length), 'Slots'.length);
  const line = (label: string, value: string) => `  ${label.padEnd(width)}  ${value}`;
  return [
    ...(useNotice === undefined ? [] : [useNotice, '']),
    `Relay ${name}: ${status === 'ready' ? 'ready' : 'NOT READY'}`,
    ...reasons.map((reason) => `  ${reason}`),
    ...notices.map((notice) => `  Notice: ${notice}`),
    ...(slots ? [line('Slots', slotsText(slots))] : []),
    ...facts.map((fact) => line(fact.name, fact.value)),
    ...(devices.length > 0 ? ['', ...deviceTable(devices)] : []),
    '',
  ].join('\n');
}

function slotsText({ free, used, burning }: NonNullable<SiteStatus['slots']>): string {
  return `${used} of ${free + used + burning} in use, ${burning} being overwritten`;
}

function deviceTable(devices: readonly Device[]): string[] {
  return tableLines([
    ['DEVICE', 'ZONE', 'ROLES', 'REGISTERED', 'LAST BLOCK', 'LAST CLAIM', 'HELD', 'WAITING'],
    ...devices.map((one) => [
      one.name,
      one.zone,
      one.roles.join(','),
      one.registered ? 'yes' : 'NO',
      one.roles.includes('send') ? ago(one.lastBlockSeconds) : '-',
      one.roles.includes('receive') ? ago(one.lastClaimSeconds) : '-',
      String(one.blocksHeld),
      String(one.blocksWaiting),
    ]),
  ]);
}

function ago(seconds: number | null): string {
  return seconds === null ? 'none' : `${seconds} s ago`;
}
