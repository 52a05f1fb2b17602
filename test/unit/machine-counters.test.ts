import t from 'tap';
import {
  diskWords,
  loadWords,
  machineSources,
  memoryWords,
  networkWords,
} from '../../tools/ghostpipe/machine-counters.ts';

t.test('load and memory are read by name', async (t) => {
  t.equal(loadWords('0.20 0.18 1.12 1/80 11206\n'), 'one=0.20 five=0.18 fifteen=1.12');
  t.equal(
    memoryWords('MemTotal:       16280348 kB\nMemFree:   1 kB\nMemAvailable:   15000000 kB\n'),
    'total_kib=16280348 available_kib=15000000',
  );
});

t.test('disks are summed, their partitions are not counted again', async (t) => {
  const text = [
    ' 259 0 nvme0n1 10 0 100 5 20 0 300 5 0 5 5',
    ' 259 1 nvme0n1p1 10 0 100 5 20 0 300 5 0 5 5',
    '   8 0 sda 10 0 1 5 20 0 2 5 0 5 5',
    '   7 0 loop0 10 0 999 5 20 0 999 5 0 5 5',
  ].join('\n');
  t.equal(diskWords(text), `read_bytes=${101 * 512} written_bytes=${302 * 512}`);
});

t.test('interfaces are summed without loopback and without the heading', async (t) => {
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls',
    '    lo: 5000 1 0 0 0 0 0 0 5000 1 0 0 0 0 0 0',
    '  eth0: 1000 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0',
    ' wlan0:7 1 0 0 0 0 0 0 3 1 0 0 0 0 0 0',
  ].join('\n');
  t.equal(networkWords(text), 'received_bytes=1007 sent_bytes=203');
});

t.test('a machine without a counter has no such source', async (t) => {
  const only = (path: string) => {
    if (path === '/proc/loadavg') return '0.1 0.2 0.3 1/1 1';
    throw new Error('ENOENT');
  };
  t.strictSame(
    machineSources(only).map(({ name }) => name),
    ['load'],
  );
  t.ok(machineSources().length > 0, 'this machine has some');
});
