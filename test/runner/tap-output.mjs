/** Reads what tap prints (TAP 14) line by line, and counts assertions. */

/**
 * @typedef {object} FileResult
 * @property {string} name
 * @property {boolean} ok
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string[]} lines What tap printed about it, without what passed.
 */

const SUBTEST = /^( *)# Subtest: /;
const POINT = /^( *)(not )?ok \d+(?: - (.*?))?(?: # (SKIP|TODO|time=).*)?$/;
const UNREMARKABLE = /^ *(ok \d+|1\.\.\d+|# time=|$)/;

/**
 * Counts the assertions of each test file. A file that fails without a failed assertion (it crashed, timed out, or
 * ran another number of tests than it planned) counts as one failure, and so does a file without any assertion.
 */
export class TapReader {
  /** @type {FileResult[]} */
  files = [];
  /** Lines of a file that has not ended yet. */
  get rest() {
    return this.#current.lines;
  }

  /** Indents at which a subtest has begun and its own result is still to come. */
  #open = new Set();
  #inDiagnostics = false;
  #current = emptyResult();

  /**
   * Takes one line; gives the result of a test file when the line ends one.
   * @param {string} line
   * @returns {FileResult | undefined}
   */
  push(line) {
    if (!UNREMARKABLE.test(line)) this.#current.lines.push(line);
    if (this.#inDiagnostics || /^ *---$/.test(line)) {
      this.#inDiagnostics = !/^ *\.\.\.$/.test(line);
      return undefined;
    }
    const subtest = SUBTEST.exec(line);
    if (subtest) this.#open.add(subtest[1]);
    const point = POINT.exec(line);
    if (!point) return undefined;
    const [, indent = '', not, name = '', directive] = point;
    const isSubtest = this.#open.delete(indent);
    if (indent === '') return this.#endFile(name, !not);
    if (!isSubtest) this.#count(!not, directive);
    return undefined;
  }

  /**
   * @param {boolean} ok
   * @param {string | undefined} directive
   */
  #count(ok, directive) {
    if (directive === 'SKIP' || directive === 'TODO') this.#current.skipped++;
    else if (ok) this.#current.passed++;
    else this.#current.failed++;
  }

  /**
   * @param {string} name
   * @param {boolean} ok
   * @returns {FileResult}
   */
  #endFile(name, ok) {
    const result = { ...this.#current, name, ok };
    const empty = result.passed + result.failed + result.skipped === 0;
    if (result.failed === 0 && (!ok || empty)) result.failed = 1;
    result.ok = result.failed === 0;
    this.#current = emptyResult();
    this.files.push(result);
    return result;
  }
}

/** @returns {FileResult} */
function emptyResult() {
  return { name: '', ok: true, passed: 0, failed: 0, skipped: 0, lines: [] };
}
