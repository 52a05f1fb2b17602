/** The suites of `npm test`, in their order. */

/**
 * @typedef {object} Suite
 * @property {string} name
 * @property {string} what One phrase for --list.
 * @property {readonly string[]} [command] A program of node_modules/.bin and its arguments: one test, passed at exit 0.
 * @property {string} [folder] A folder of test files (*.test.ts) that tap runs.
 * @property {readonly string[]} [only] These files of the folder.
 * @property {readonly string[]} [without] All files of the folder but these.
 * @property {number} [jobs] How many of its files run at a time.
 * @property {boolean} [measured] Its lines count for the coverage suite.
 */

/** Files of test/e2e that look at moments, load or the whole network: beside another they would see its work. */
const ALONE = [
  'bench',
  'claim-and-ack',
  'clock-steps',
  'demo',
  'faults',
  'link',
  'relay-crowd',
  'relay-kill',
  'relay-load',
  'relay-log',
  'relay-log-faults',
  'relay-race',
  'relay-stick-faults',
  'relay-uniform',
  'runner',
  'sector',
  'sender-full',
  'sender-kill',
  'sender-service',
  'start',
  'systemd-units',
  'uniform',
  'zones',
].map((name) => `${name}.test.ts`);

/** @type {readonly Suite[]} */
export const SUITES = [
  { name: 'check', what: 'types', command: ['tsc', '-p', '.'] },
  { name: 'check-page', what: 'types of what a browser runs', command: ['tsc', '-p', 'tools/audit/viewer/browser'] },
  { name: 'lint', what: 'style', command: ['biome', 'ci', '--colors=off', '--error-on-warnings', '.'] },
  { name: 'unit', what: 'each file by itself, in memory', folder: 'test/unit', jobs: 2, measured: true },
  { name: 'property', what: 'rules that hold for any input', folder: 'test/property', jobs: 2 },
  { name: 'vectors', what: 'fixed inputs and outputs of both engines', folder: 'test/vectors' },
  { name: 'structure', what: 'who imports whom, sizes, pins', folder: 'test/structure' },
  {
    name: 'e2e',
    what: 'real processes, sockets and TLS',
    folder: 'test/e2e',
    without: ALONE,
    jobs: 2,
    measured: true,
  },
  { name: 'e2e-alone', what: 'those that need a quiet machine', folder: 'test/e2e', only: ALONE, measured: true },
  { name: 'uniformity', what: 'what a watcher of the wire can tell', folder: 'test/uniformity' },
  { name: 'fuzz', what: 'parsers, and a relay, fed with bytes that nobody honest sends', folder: 'test/fuzz' },
  { name: 'image', what: 'the image of the appliance, booted in QEMU', folder: 'test/image' },
  { name: 'readme', what: 'every command of README.md and docs/', folder: 'test/readme' },
  { name: 'coverage', what: 'lines run by unit and e2e (comes with them)', folder: 'test/coverage' },
];

/**
 * The suites that these names choose; all of them when there is no name. `coverage` comes with `unit`, `e2e-alone` with `e2e`.
 * Throws an `Error` for a name that no suite has.
 * @param {readonly string[]} names
 * @returns {Suite[]}
 */
export function chooseSuites(names) {
  const unknown = names.find((name) => !SUITES.some((suite) => suite.name === name));
  if (unknown !== undefined) throw new Error(`"${unknown}" is not a suite`);
  if (names.length === 0) return [...SUITES];
  const wanted = new Set(names);
  if (wanted.has('unit')) wanted.add('coverage');
  if (wanted.has('e2e')) wanted.add('e2e-alone');
  return SUITES.filter(({ name }) => wanted.has(name));
}
