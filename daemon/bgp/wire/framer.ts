/** Cuts the octets of a TCP stream into BGP messages. */
import { readHeader } from './header.js';
import { HEADER_LENGTH, type SessionFault } from './types.js';

export interface Framed {
  /** Complete messages, header included. They may view the pushed chunk: decode them before it is reused. */
  readonly messages: readonly Uint8Array[];
  /** Set once the stream cannot be followed any more; its NOTIFICATION ends the session. */
  readonly fault: SessionFault | undefined;
}

export class MessageFramer {
  /** Accept messages of up to 65535 octets: set when we announce the capability (RFC 8654 section 4). */
  extendedMessage = false;
  private fault: SessionFault | undefined;
  /** The beginning of a message that is not complete: a header at first, then a buffer of the message's length. */
  private partial = new Uint8Array(HEADER_LENGTH);
  private filled = 0;

  /**
   * Takes the next octets of the stream. After a fault every call returns that fault and no messages. A caller that changes
   * `extendedMessage` on a message's content does so before it pushes more.
   */
  push(chunk: Uint8Array): Framed {
    const messages: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length && !this.fault) {
      if (this.filled > 0) at += this.complete(chunk, at, messages);
      else at += this.cut(chunk, at, messages);
    }
    return { messages, fault: this.fault };
  }

  /** A message that begins in this chunk: a view when all of it is there. Returns the octets consumed. */
  private cut(chunk: Uint8Array, at: number, messages: Uint8Array[]): number {
    const available = chunk.length - at;
    let length = HEADER_LENGTH;
    if (available >= HEADER_LENGTH) {
      const header = readHeader(chunk, at, this.extendedMessage);
      if (typeof header !== 'number') {
        this.fault = header;
        return available;
      }
      length = header;
      if (length <= available) {
        messages.push(chunk.subarray(at, at + length));
        return length;
      }
    }
    this.partial = new Uint8Array(length);
    this.partial.set(chunk.subarray(at));
    this.filled = available;
    return available;
  }

  /** Goes on with the message begun in an earlier chunk. Returns the octets consumed. */
  private complete(chunk: Uint8Array, at: number, messages: Uint8Array[]): number {
    const count = Math.min(this.partial.length - this.filled, chunk.length - at);
    this.partial.set(chunk.subarray(at, at + count), this.filled);
    this.filled += count;
    if (this.filled < this.partial.length) return count;
    if (this.partial.length === HEADER_LENGTH) {
      const header = readHeader(this.partial, 0, this.extendedMessage);
      if (typeof header !== 'number') {
        this.fault = header;
        return count;
      }
      if (header > HEADER_LENGTH) {
        const larger = new Uint8Array(header);
        larger.set(this.partial);
        this.partial = larger;
        return count;
      }
    }
    messages.push(this.partial);
    this.filled = 0;
    return count;
  }
}
