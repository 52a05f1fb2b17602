/**
 * Request bodies: bounded in bytes and in time, and a block goes chunk by chunk straight into its slot, hashed on the
 * way. Fastify's own body parsers are not used, since they collect a body before anybody checked who sends it.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { release } from '../../protocol/bytes.ts';
import { Problem } from '../../protocol/problem.ts';
import type { BlockBytes } from '../store/block-store.ts';

/**
 * Receives a body of exactly `length` bytes into `target` (or nowhere, when there is no room) and returns its SHA-256
 * in hex. Refuses `block-size` before a byte is read, `body-timeout` and `body-incomplete`.
 */
export async function receiveBlock(
  request: IncomingMessage,
  target: BlockBytes | null,
  length: number,
  timeLimitMs: number,
): Promise<string> {
  const announced = request.headers['content-length'];
  if (announced !== String(length)) {
    throw new Problem('block-size', `content-length is ${announced ?? 'missing'}, a block has ${length} bytes`);
  }
  const hash = createHash('sha256');
  let at = 0;
  await consume(request, timeLimitMs, (chunk) => {
    hash.update(chunk);
    target?.set(chunk, at);
    at += chunk.length;
    release(chunk); // it is in its slot: no copy of a block stays where no burn reaches it
    return true;
  });
  return hash.digest('hex');
}

/** Reads a whole body of at most `limit` bytes. Refuses `body-too-large`, `body-timeout` and `body-incomplete`. */
export async function readBody(request: IncomingMessage, limit: number, timeLimitMs: number): Promise<Buffer> {
  const refusal = new Problem('body-too-large', `the body is longer than ${limit} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw refusal;
  const chunks: Buffer[] = [];
  let length = 0;
  await consume(request, timeLimitMs, (chunk) => {
    chunks.push(chunk);
    length += chunk.length;
    return length <= limit;
  });
  if (length > limit) throw refusal;
  return Buffer.concat(chunks);
}

/** Reads and drops what is left of a body; false when it goes beyond `limit` bytes, the time, or broke off. */
export async function discardBody(request: IncomingMessage, limit: number, timeLimitMs: number): Promise<boolean> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return false;
  let length = 0;
  try {
    await consume(request, timeLimitMs, (chunk) => {
      length += chunk.length;
      return length <= limit;
    });
    return length <= limit;
  } catch {
    return false;
  }
}

/** Feeds chunks to `take` until the body ends or `take` says no; the connection stays open either way. */
function consume(request: IncomingMessage, timeLimitMs: number, take: (chunk: Buffer) => boolean): Promise<void> {
  const incomplete = new Problem('body-incomplete', 'the connection ended before the body did');
  if (request.complete && request.readableLength === 0) return Promise.resolve();
  if (request.destroyed) return Promise.reject(incomplete);
  return new Promise((resolve, reject) => {
    const stop = (problem?: Problem): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', stopWell).off('close', onClose).off('error', onClose).pause();
      if (problem) reject(problem);
      else resolve();
    };
    const stopWell = (): void => stop();
    const onClose = (): void => stop(incomplete);
    const onData = (chunk: Buffer): void => {
      if (!take(chunk)) stop();
    };
    const timer = setTimeout(
      () => stop(new Problem('body-timeout', `the body did not end within ${timeLimitMs / 1000} s`)),
      timeLimitMs,
    );
    request.on('data', onData).on('end', stopWell).on('close', onClose).on('error', onClose).resume();
  });
}
