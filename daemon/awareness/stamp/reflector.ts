/** The Session-Reflector's answer to one packet (RFC 8762 section 4.3), stateless: the sequence number is the sender's. */
import { Prefix, parseIp } from '../../../dataplane/packet/ip.js';
import { decodeSender, encodeReflector, reflectTlvs, STAMP_LENGTH, type ErrorEstimate } from './packet.js';
import { ntpFromUnixNs } from './timestamp.js';

/** Our clock is not known to be synchronised; its reading is good to 2^(19-32) s = 122 us. */
export const ERROR_ESTIMATE: ErrorEstimate = { synchronised: false, format: 'ntp', scale: 19, multiplier: 1 };

export interface ReflectorCounters {
  reflected: number;
  /** Dropped: source outside the domain, or a packet from a reflector's own port (two reflectors would answer each other for ever). */
  refused: number;
  malformed: number;
}

export interface Received {
  readonly data: Uint8Array;
  readonly source: string;
  readonly port: number;
  /** Unix time in ns at which the kernel (or, without its timestamp, this process) received it. */
  readonly receivedNs: bigint;
  readonly hopLimit: number;
}

export class Reflector {
  readonly counters: ReflectorCounters = { reflected: 0, refused: 0, malformed: 0 };
  private allowed: readonly Prefix[];

  constructor(
    /** Prefixes whose addresses may measure us. */
    allowed: readonly string[],
    private readonly port: number,
  ) {
    this.allowed = allowed.map((text) => Prefix.from(text));
  }

  setAllowed(allowed: readonly string[]): void {
    this.allowed = allowed.map((text) => Prefix.from(text));
  }

  /** The reply, or undefined for a packet that gets none. `sentNs` is read as late as possible: just before encoding. */
  answer(received: Received, sentNs: () => bigint): Uint8Array | undefined {
    const source = parseIp(received.source);
    if (!source || received.port === this.port || !this.allowed.some((prefix) => prefix.contains(source))) {
      this.counters.refused++;
      return undefined;
    }
    const request = decodeSender(received.data);
    if ('fault' in request) {
      this.counters.malformed++;
      return undefined;
    }
    this.counters.reflected++;
    const reply = encodeReflector({
      sequence: request.sequence,
      timestamp: ntpFromUnixNs(sentNs()),
      errorEstimate: ERROR_ESTIMATE,
      sessionId: request.sessionId,
      receiveTimestamp: ntpFromUnixNs(received.receivedNs),
      senderSequence: request.sequence,
      senderTimestamp: request.timestamp,
      senderErrorEstimate: request.errorEstimate,
      senderTtl: received.hopLimit,
    });
    if (received.data.length === STAMP_LENGTH) return reply;
    // RFC 8762 section 4.3: a reply has the size of its request.
    const whole = new Uint8Array(received.data.length);
    whole.set(reply);
    whole.set(reflectTlvs(received.data), STAMP_LENGTH);
    return whole;
  }
}
