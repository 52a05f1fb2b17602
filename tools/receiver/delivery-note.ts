/** The delivery receipt that a receiver gives for a block: what of its run is committed by now. */
import type { ControlItem } from '../../protocol/control.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import type { Frame } from '../../protocol/frame.ts';
import type { Range } from '../../protocol/ranges.ts';
import { MAX_RECEIPT_RANGES, signReceipt } from '../../protocol/receipt.ts';
import type { Device } from '../lib/device.ts';
import type { RunMark, StreamMark } from './stream-marks.ts';

/** Signs the receipt for the run of `frame`, as its mark says. `wallMs` makes its serial number. */
export function receiptItem(
  engine: Engine,
  device: Device,
  frame: Pick<Frame, 'senderDigest' | 'streamId' | 'firstRecord'>,
  mark: StreamMark,
  run: RunMark,
  wallMs: number,
): ControlItem {
  const nextRecord = run.records.next;
  const above = run.records.ranges().filter(({ first }) => first > nextRecord);
  const bytes = signReceipt(engine, device.signer, {
    receiverDigest: device.digest,
    senderDigest: frame.senderDigest,
    streamId: frame.streamId,
    run: run.run,
    serial: mark.nextSerial(wallMs),
    nextRecord,
    ranges: newestWith(above, frame.firstRecord),
    rejects: run.rejects,
  });
  return { type: 'receipt', bytes };
}

/** The newest ranges that a receipt takes, and always the one that holds `record`: an old block is confirmed too. */
function newestWith(ranges: readonly Range[], record: number): readonly Range[] {
  const newest = ranges.slice(-MAX_RECEIPT_RANGES);
  const asked = ranges.find(({ first, count }) => first <= record && record < first + count);
  return !asked || newest.includes(asked) ? newest : [asked, ...newest.slice(1)];
}
