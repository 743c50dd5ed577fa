/** The Session-Reflector's answer to one packet (RFC 8762 section 4.3), stateless: the sequence number is the sender's. */
import { Prefix, parseIp } from '../../../dataplane/packet/ip.js';
import { decodeSender, encodeReflector, reflectTlvs, STAMP_LENGTH, type ErrorEstimate } from './packet.js';
import { ntpFromUnixNs } from './timestamp.js';

/** Our clock is not known to be synchronised; its reading is good to 2^(19-32) s = 122 us. */
export const ERROR_ESTIMATE: ErrorEstimate = { synchronised: false, format: 'ntp', scale: 19, multiplier: 1 };

/** What a configuration says of the own clock: `synchronised` to UTC by an external source, such as PTP or NTP. */
export const errorEstimate = (synchronised: boolean): ErrorEstimate => (synchronised ? { ...ERROR_ESTIMATE, synchronised } : ERROR_ESTIMATE);

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

/** A reply, and the SIDs it takes before the address of the sender; travel order, empty: the plain way. */
export interface Reply {
  readonly packet: Uint8Array;
  readonly returnPath: readonly Uint8Array[];
}

export interface ReflectorOptions {
  /** Prefixes whose addresses may measure us. */
  readonly allowed: readonly string[];
  /** Prefixes that SIDs of a return path come from; others are not followed (RFC 9503 section 4.1.3 leaves it to local policy). */
  readonly sidBlocks?: readonly string[];
  /** Hop limit that a request has at least: 255 takes those of the link only (RFC 5082 section 3). */
  readonly minimumHopLimit?: number;
  /** Our clock is synchronised to UTC. */
  readonly synchronised?: boolean;
}

export class Reflector {
  readonly counters: ReflectorCounters = { reflected: 0, refused: 0, malformed: 0 };
  private allowed: readonly Prefix[] = [];
  private sidBlocks: readonly Prefix[] = [];
  private estimate = ERROR_ESTIMATE;
  private minimumHopLimit = 0;

  constructor(
    options: ReflectorOptions,
    private readonly port: number,
  ) {
    this.reconfigure(options);
  }

  reconfigure({ allowed, sidBlocks, synchronised, minimumHopLimit }: ReflectorOptions): void {
    this.allowed = allowed.map((text) => Prefix.from(text));
    this.sidBlocks = (sidBlocks ?? []).map((text) => Prefix.from(text));
    this.estimate = errorEstimate(synchronised ?? false);
    this.minimumHopLimit = minimumHopLimit ?? 0;
  }

  /** The reply, or undefined for a packet that gets none. `sentNs` is read as late as possible: just before encoding. */
  answer(received: Received, sentNs: () => bigint): Reply | undefined {
    const source = parseIp(received.source);
    if (!source || received.port === this.port || received.hopLimit < this.minimumHopLimit || !this.allowed.some((prefix) => prefix.contains(source))) {
      this.counters.refused++;
      return undefined;
    }
    const request = decodeSender(received.data);
    if ('fault' in request) {
      this.counters.malformed++;
      return undefined;
    }
    this.counters.reflected++;
    const tlvs = received.data.length === STAMP_LENGTH ? undefined : reflectTlvs(received.data, (segment) => this.sidBlocks.some((block) => block.contains(segment)));
    const reply = encodeReflector({
      sequence: request.sequence,
      timestamp: ntpFromUnixNs(sentNs()),
      errorEstimate: this.estimate,
      sessionId: request.sessionId,
      receiveTimestamp: ntpFromUnixNs(received.receivedNs),
      senderSequence: request.sequence,
      senderTimestamp: request.timestamp,
      senderErrorEstimate: request.errorEstimate,
      senderTtl: received.hopLimit,
    });
    if (!tlvs) return { packet: reply, returnPath: [] };
    // RFC 8762 section 4.3: a reply has the size of its request.
    const whole = new Uint8Array(received.data.length);
    whole.set(reply);
    whole.set(tlvs.octets, STAMP_LENGTH);
    return { packet: whole, returnPath: tlvs.returnPath };
  }
}
