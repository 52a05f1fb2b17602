/** What happened to a transfer: the one stream of facts that log, metrics and audit log are fed from. */
import type { TransferState } from '../../protocol/control.ts';
import type { RejectCode } from '../../protocol/reject.ts';
import type { Transfer, View } from './transfer.ts';

export interface DeliveryEvent {
  readonly type: 'accepted' | 'leased' | 'lapsed' | 'acked' | 'rejected' | 'expired' | 'burned';
  readonly transferId: string;
  /** DID of the sender. */
  readonly sender: string;
  /** DID of the recipient whose view it was. */
  readonly recipient?: string;
  readonly rejectCode?: RejectCode;
  /** Of `burned`: how the transfer ended. */
  readonly state?: TransferState;
}

/** The event of a transfer as it is now, or of one view of it. */
export function deliveryEvent(type: DeliveryEvent['type'], transfer: Transfer, view?: View): DeliveryEvent {
  return {
    type,
    transferId: transfer.id,
    sender: transfer.sender,
    ...(view ? { recipient: view.recipient } : {}),
    ...(view?.rejectCode ? { rejectCode: view.rejectCode } : {}),
    ...(type === 'burned' ? { state: transfer.end!.state } : {}),
  };
}
