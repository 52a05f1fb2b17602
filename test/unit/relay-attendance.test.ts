/** Who keeps its slots: a record of what a device missed, and none for a device that is on time. */
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
  t.strictSame(log, []);
});

t.test('slots that were missed are recorded when a device is heard again', async (t) => {
  const { at, log } = makeAttendance();
  at(0).heard('plc');
  at(0).heard('historian');
  at(4000).heard('historian');
  at(7000).heard('historian');
  at(10_000).heard('plc');
  t.strictSame(log, ['slot.missed historian 3', 'slot.missed historian 2', 'slot.missed plc 9']);
});

t.test('who does not belong to the site any more is not waited for', async (t) => {
  const { at, log } = makeAttendance();
  at(0).heard('plc');
  at(0).enforce((did) => did !== 'plc');
  at(60_000).heard('plc');
  t.strictSame(log, []);
});
