/** The plan as text for a terminal. */
import { tableLines } from '../../lib/table.ts';
import { BOARDS } from './boards.ts';
import type { JudgedPlan } from './model.ts';
import type { ZonePart } from './zones.ts';

const MIB = 2 ** 20;

/** All of the plan in lines, excesses last. */
export function planText(plan: JudgedPlan): string {
  const { siteName, version, profile, board, zones } = plan;
  const { blockSize, intervalMs } = profile;
  return [
    `Zones and conduits of site ${siteName}, roster version ${version}`,
    `  one block of ${blockSize} bytes a lane in ${intervalMs / 1000} s; board ${board}: ${BOARDS[board].what}`,
    ...zones.flatMap(zoneLines),
    ...section('Conduits', conduitRows(plan)),
    ...section('Flows', flowRows(plan)),
    ...section('Load on the wire', linkRows(plan)),
    ...section('Relay', relayRows(plan)),
    ...section('Controls, and what they serve in IEC 62443-3-3', controlRows(plan)),
    ...notes('Weaker than it could be', plan.weaknesses),
    ...notes(
      'REFUSED',
      plan.excesses.flatMap(({ fact, mend }) => [fact, `  ${mend}`]),
    ),
    '',
  ].join('\n');
}

function zoneLines(part: ZonePart): string[] {
  const { zone, listeners, devices } = part;
  const where = part.interface === null ? 'interface not named' : `interface ${part.interface}`;
  return [
    '',
    `Zone ${zone} (${where})`,
    ...(listeners.length === 0 ? ['  no listener'] : []),
    ...tableLines([
      ['  ADDRESS', 'PORT', 'TLS', 'CALLS'],
      ...listeners.map(({ address, port, tls, calls }) => [`  ${address}`, String(port), tls, calls.join(' ')]),
    ]).slice(listeners.length === 0 ? 1 : 0),
    ...(devices.length === 0 ? ['  no devices'] : []),
    ...tableLines([
      ['  DEVICE', 'ROLES', 'LANES UP', 'LANES DOWN'],
      ...devices.map(({ device, up, down }) => [`  ${device.name}`, device.roles.join(','), String(up), String(down)]),
    ]).slice(devices.length === 0 ? 1 : 0),
  ];
}

function conduitRows({ conduits }: JudgedPlan): string[][] {
  return [
    ...conduits.map(({ name, from, to, isOpen, carries, because }) => [
      name,
      `${from} -> ${to}`,
      isOpen ? 'open' : 'closed',
      `${carries} (${because})`,
    ]),
    [
      'receipts and keys',
      'it -> ot',
      'always',
      'delivery receipts and the keys of receivers, signed, in answers of fixed size',
    ],
  ];
}

function flowRows({ flows }: JudgedPlan): string[][] {
  if (flows.length === 0) return [['none: no sender has a route']];
  return flows.map(({ from, to, views }) => [from, '-> relay ->', to.join(', '), `read by ${views} of ${to.length}`]);
}

function linkRows({ links, linkMbit }: JudgedPlan): string[][] {
  return links.map(({ name, zones, toRelayMbit, fromRelayMbit, gibADay }) => [
    name,
    zones.join(', '),
    `${toRelayMbit.toFixed(2)} Mbit/s to the relay, ${fromRelayMbit.toFixed(2)} from it, of ${linkMbit} each`,
    `${gibADay.toFixed(1)} GiB a day`,
  ]);
}

function relayRows(plan: JudgedPlan): string[][] {
  const { store, slots, absentMinutes, profile, board, blockMBs, log, auditMiB } = plan;
  const mib = (count: number) => `${Math.ceil((count * profile.blockSize) / MIB)} MiB`;
  const away = slots.receiver === null ? 'no sender has a route' : `${slots.receiver} away for ${absentMinutes} min`;
  const lasts = slots.lastMinutes === null ? '' : `, which last ${slots.lastMinutes.toFixed(1)} min`;
  return [
    ['slots', `${slots.needed} needed (${away}), ${store.slots} configured (${mib(store.slots)} of RAM)${lasts}`],
    ['blocks', `${blockMBs.toFixed(2)} MB/s in and out, ${board} carries ${BOARDS[board].blockMBs} MB/s`],
    [
      'audit log',
      `${log.recordsAHead} records a head, ${log.mibADay.toFixed(1)} MiB a day of the ${auditMiB} MiB that it may take`,
    ],
  ];
}

function controlRows({ controls }: JudgedPlan): string[][] {
  return controls.map(({ id, what, serves, weakness }) => [
    id,
    serves.join(', '),
    weakness === null ? what : `${what}; WEAK: ${weakness}`,
  ]);
}

function section(title: string, rows: readonly (readonly string[])[]): string[] {
  return ['', title, ...(rows.length === 0 ? [] : tableLines(rows).map((line) => `  ${line}`))];
}

function notes(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
}
