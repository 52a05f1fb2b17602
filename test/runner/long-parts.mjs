/** The long parts and their run one after the other: what `npm run test:long` does without a name. */

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {string} what One phrase for the usage.
 * @property {string} program Below the project, run by the pinned Node.
 */

/** @type {readonly Part[]} */
export const PARTS = [
  { name: 'fuzz', what: 'every parser that meets bytes from outside', program: 'test/fuzz/main.ts' },
  { name: 'kill', what: 'the relay killed under load', program: 'test/long/kill.ts' },
  { name: 'log-kill', what: 'the relay killed under load, and its audit log', program: 'test/long/log-kill.ts' },
  { name: 'link', what: 'a link down for long (needs root)', program: 'test/long/link.ts' },
  { name: 'load', what: 'blocks in a row at many clients', program: 'test/long/load.ts' },
  { name: 'slots', what: 'sender, relay and receiver over many slots', program: 'test/long/slots.ts' },
  { name: 'faults', what: 'restart, dead links, an absent receiver, suspension', program: 'test/long/faults.ts' },
  { name: 'sector', what: 'a hundred senders and their receivers', program: 'test/long/sector.ts' },
  { name: 'stick', what: 'power cuts with the audit log on a stick (needs root)', program: 'test/long/stick.ts' },
  { name: 'uniformity', what: 'what a watcher of the wire can tell (needs root)', program: 'test/long/uniformity.ts' },
];

/**
 * How one part went; `status` is the exit code of its program.
 * @typedef {{ name: string, ok: boolean, status: number, seconds: number }} PartResult
 */

/**
 * Runs every part, also after one that failed; `run` gives the exit code of one.
 * @param {readonly Part[]} parts
 * @param {(part: Part) => Promise<number>} run
 * @returns {Promise<PartResult[]>}
 */
export async function runAll(parts, run) {
  const results = [];
  for (const part of parts) {
    const startMs = performance.now();
    const status = await run(part);
    const seconds = Math.round((performance.now() - startMs) / 1000);
    results.push({ name: part.name, ok: status === 0, status, seconds });
  }
  return results;
}

/**
 * The results as a table for people.
 * @param {readonly PartResult[]} results
 * @returns {string}
 */
export function tableOf(results) {
  const rows = results.map(({ name, ok, status, seconds }) => {
    return `${name.padEnd(10)} ${(ok ? 'passed' : `failed (${status})`).padEnd(12)} ${seconds} s\n`;
  });
  return ['\n', ...rows].join('');
}
