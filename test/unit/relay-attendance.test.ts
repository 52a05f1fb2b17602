/** Who keeps its slots: one record for each silence, one for its end, and none for a device that is on time. */
import t from 'tap';
import { Attendance } from '../../relay/monitor/attendance.ts';

/** An attendance by hand: `at` moves the clock, records are written down as `act who number`. */
function makeAttendance() {
  const clock = { ms: 0 };
  const log: string[] = [];
  const attendance = new Attendance({
    now: () => clock.ms,
    intervalMs: () => 1000,
    record: ({ act, obj, src }) => void log.push(`${act} ${src.id} ${Object.values(obj)}`),
  });
  const at = (ms: number): Attendance => {
    clock.ms = ms;
    return attendance;
  };
  return { at, log };
}

t.test('a device that is on time, a little early or late, and in several lanes, leaves no record', async (t) => {
  const { at, log } = makeAttendance();
  for (const ms of [0, 0, 990, 1020, 2400, 3000, 4200]) at(ms).heard('plc');
  at(8200).look();
  t.strictSame(log, []);
});

t.test('silence is recorded once, and how many slots it took when it ends', async (t) => {
  const { at, log } = makeAttendance();
  at(0).heard('plc');
  at(0).heard('historian');
  at(4000).heard('historian');
  t.strictSame(log.splice(0), ['slot.missed historian 3']);
  at(4001).look();
  at(7000).look();
  t.strictSame(log.splice(0), ['device.stale plc 4001']);
  at(7000).heard('historian');
  t.strictSame(log.splice(0), ['slot.missed historian 2']);
  at(10_000).heard('plc');
  t.strictSame(log.splice(0), ['slot.missed plc 9']);
  at(14_001).look();
  t.strictSame(log.toSorted(), ['device.stale historian 7001', 'device.stale plc 4001']);
});

t.test('who does not belong to the site any more is not waited for', async (t) => {
  const { at, log } = makeAttendance();
  at(0).heard('plc');
  at(0).enforce((did) => did !== 'plc');
  at(60_000).look();
  at(60_000).heard('plc');
  t.strictSame(log, []);
});
