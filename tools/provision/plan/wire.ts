/**
 * What an exchange takes on an Ethernet link: TLS records of 16 KiB, TCP segments of an MTU of 1500 with timestamps, the
 * frames around them, and the acknowledgements that come back.
 */

/** Of an application's bytes in one TLS 1.3 record (RFC 8446 section 5.1), and what stands around them. */
const RECORD_BYTES = 16_384;
const RECORD_OVERHEAD = 22;
/** Preamble, header, check sequence and gap of a frame (IEEE 802.3). */
const FRAME_OVERHEAD = 38;
/** A segment without data fills a frame of the smallest size. */
const EMPTY_FRAME = 84;
const MTU = 1500;
/** TCP with timestamps behind an IPv4 or IPv6 header. */
const HEADERS = { 4: 52, 6: 72 } as const;
/** A receiver acknowledges every second segment (RFC 9293 section 3.8.6.3). */
const SEGMENTS_AN_ACK = 2;

export type Family = keyof typeof HEADERS;

export interface WireBytes {
  /** In the direction of the data. */
  readonly there: number;
  /** Acknowledgements. */
  readonly back: number;
}

/** What `bytes` of an application take on the wire when they are sent as one piece. */
export function wireBytes(bytes: number, family: Family): WireBytes {
  const stream = bytes + Math.ceil(bytes / RECORD_BYTES) * RECORD_OVERHEAD;
  const segments = Math.ceil(stream / (MTU - HEADERS[family]));
  return {
    there: stream + segments * (HEADERS[family] + FRAME_OVERHEAD),
    back: Math.ceil(segments / SEGMENTS_AN_ACK) * EMPTY_FRAME,
  };
}
