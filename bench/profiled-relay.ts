/**
 * The relay with a sampling profiler in its process, run as `profiled-relay.ts relay --config FILE ...`. When it was
 * stopped it writes the profile beside its configuration.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { dirname, join } from 'node:path';
import { main } from '../relay/main.ts';

const INTERVAL_MICROSECONDS = 500;

const [, ...argv] = process.argv.slice(2);
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_MICROSECONDS });
await session.post('Profiler.start');
process.exitCode = await main(argv);
const { profile } = await session.post('Profiler.stop');
writeFileSync(join(dirname(argv[argv.indexOf('--config') + 1]!), 'profile.json'), JSON.stringify(profile));
session.disconnect();
