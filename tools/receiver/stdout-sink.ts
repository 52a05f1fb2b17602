/** Readings to standard output, one a line: as they came, or as JSON with a line for each note. At least once. */
import type { Writable } from 'node:stream';
import { Problem } from '../../protocol/problem.ts';
import { type DeviceNote, noteJson, type RecordBatch, recordJson, type Sink, SinkRefusal } from './sink.ts';

export class StdoutSink implements Sink {
  readonly #out: Writable;
  readonly #json: boolean;

  constructor(out: Writable, json: boolean) {
    this.#out = out;
    this.#json = json;
    out.on('error', () => {}); // reported by the write that met it
  }

  async commitRecords(batch: RecordBatch): Promise<number> {
    const lines = batch.records.map((record) =>
      this.#json ? Buffer.from(JSON.stringify(recordJson(batch, record))) : record.bytes,
    );
    await this.#write(Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])));
    return batch.records.length;
  }

  async commitChunk(): Promise<boolean> {
    throw new SinkRefusal('standard output takes readings, not files; use --output DIR');
  }

  /** Among readings as they came a note could not be told from one: it stands in the notices only. */
  async note(note: DeviceNote): Promise<void> {
    if (this.#json) await this.#write(Buffer.from(`${JSON.stringify(noteJson(note))}\n`));
  }

  tend(): readonly string[] {
    return [];
  }

  async close(): Promise<void> {}

  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#out.write(bytes, (error) => {
        if (error) reject(new Problem('sink-failed', `standard output cannot be written (${error.message})`));
        else resolve();
      });
    });
  }
}
