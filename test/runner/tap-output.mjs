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
  /**
   * The files that have ended.
   * @type {FileResult[]}
   */
  files = [];
  #current = emptyResult();
  #onFile;
  /** Indents at which a subtest has begun and its own result is still to come. */
  #open = new Set();
  #inDiagnostics = false;
  /** The result of the current file has come; its diagnostics may follow. */
  #ended = false;

  /** @param {(result: FileResult) => void} onFile */
  constructor(onFile) {
    this.#onFile = onFile;
  }

  /** What was printed since the last file ended. */
  get rest() {
    return this.#current.lines;
  }

  /** @param {string} line */
  push(line) {
    const diagnostics = this.#inDiagnostics || /^ *---$/.test(line);
    if (this.#ended && !diagnostics) this.end();
    if (!UNREMARKABLE.test(line)) this.#current.lines.push(line);
    if (diagnostics) {
      this.#inDiagnostics = !/^ *\.\.\.$/.test(line);
      return;
    }
    const subtest = SUBTEST.exec(line);
    if (subtest) this.#open.add(subtest[1]);
    const point = POINT.exec(line);
    if (!point) return;
    const [, indent = '', not, name = '', directive] = point;
    const isSubtest = this.#open.delete(indent);
    if (indent === '') {
      this.#current.name = name;
      this.#current.ok = !not;
      this.#ended = true;
    } else if (!isSubtest) this.#count(!not, directive);
  }

  /** Ends the file whose result has come; to be called after the last line. */
  end() {
    if (!this.#ended) return;
    const result = this.#current;
    const empty = result.passed + result.failed + result.skipped === 0;
    if (result.failed === 0 && (!result.ok || empty)) result.failed = 1;
    result.ok = result.failed === 0;
    this.files.push(result);
    this.#current = emptyResult();
    this.#ended = false;
    this.#onFile(result);
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
}

/** @returns {FileResult} */
function emptyResult() {
  return { name: '', ok: true, passed: 0, failed: 0, skipped: 0, lines: [] };
}
