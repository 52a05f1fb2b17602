/** `npm run bench [-- PART] [--json]`: medians and ratios of one run; ratios are against a limit measured beside. */
import { parseArgs } from 'node:util';
import { benchSeal } from './seal.ts';

const PARTS: Record<string, () => Promise<Record<string, number>>> = { seal: benchSeal };

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' } } });
const wanted = positionals.length > 0 ? positionals : Object.keys(PARTS);
const unknown = wanted.find((part) => !Object.hasOwn(PARTS, part));
if (unknown !== undefined) {
  process.stderr.write(`bench: there is no part "${unknown}"; parts: ${Object.keys(PARTS).join(', ')}\n`);
  process.exit(2);
}

const figures: Record<string, number> = {};
for (const part of wanted) {
  process.stderr.write(`bench: ${part} ...\n`);
  Object.assign(figures, await PARTS[part]!());
}
if (values.json) {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
} else {
  for (const [name, value] of Object.entries(figures)) process.stdout.write(`${name.padEnd(20)} ${value}\n`);
}
