/** What is checked of every packet before a part of the protocol sees it (RFC 2328 section 8.2, RFC 5340 section 4.2.2, RFC 7166 section 4). */
import type { OspfEnvironment } from './environment.js';
import { formatId } from './ids.js';
import type { OspfInterface } from './interface.js';
import type { Neighbor } from './neighbor.js';
import { ALL_D_ROUTERS } from './transport.js';
import { verifyTrailer } from './wire/authentication.js';
import { decodePacket } from './wire/packet.js';
import type { OspfPacket } from './wire/types.js';

/** Sequence numbers of trailers are kept by type of packet. */
const TYPE_AT = 1;
const LINK_LOCAL = /^fe[89ab]/;

interface Refused {
  readonly counter: string;
  /** Undefined: nothing is wrong with it, it is only not for us. */
  readonly reason: string | undefined;
}

interface Accepted {
  readonly packet: OspfPacket;
  /** Of its Authentication Trailer. */
  readonly sequence: bigint | undefined;
}

const refuse = (counter: string, reason?: string): Refused => ({ counter, reason });

export class Receiver {
  constructor(private readonly environment: OspfEnvironment) {}

  receive(owner: OspfInterface, bytes: Uint8Array, source: string, destination: string): void {
    const result = this.read(owner, bytes, source, destination);
    if ('counter' in result) {
      if (result.reason === undefined) owner.count(`dropped ${result.counter}`);
      else owner.drop(source, result.counter, result.reason);
      return;
    }
    const { packet, sequence } = result;
    owner.count(`received ${packet.kind}`);
    const neighbor = packet.kind === 'hello' ? owner.receiveHello(packet, source) : owner.neighbors.get(packet.routerId);
    if (packet.kind !== 'hello' && neighbor?.address !== source) {
      owner.count('dropped neighbor');
      return;
    }
    if (!neighbor) return;
    if (sequence !== undefined) neighbor.authenticationSequences.set(bytes[TYPE_AT]!, sequence);
    this.dispatch(neighbor, packet);
  }

  private read(owner: OspfInterface, bytes: Uint8Array, source: string, destination: string): Accepted | Refused {
    if (!LINK_LOCAL.test(source)) return refuse('source', 'the source is no link-local address');
    if (destination === ALL_D_ROUTERS && owner.state !== 'DR' && owner.state !== 'Backup') return refuse('destination');
    const { keys } = owner;
    const verified = keys.length > 0 ? verifyTrailer(bytes, source, keys) : undefined;
    if (verified?.ok === false) return refuse(verified.fault.counter, verified.fault.reason);
    const { cpnLsType, areaId, routerId } = this.environment;
    const decoded = decodePacket(bytes, { source, destination, authenticated: verified !== undefined, cpnLsType });
    if (!decoded.ok) return refuse(decoded.fault.counter, decoded.fault.reason);
    const { packet } = decoded;
    // Packets of another instance on this link are none of ours (RFC 5340 section 2.4).
    if (packet.instanceId !== owner.config.instanceId) return refuse('instance');
    if (packet.areaId !== areaId) return refuse('area', `area ${formatId(packet.areaId)}, here it is ${formatId(areaId)}`);
    if (packet.routerId === routerId || packet.routerId === 0) return refuse('router id', `its router ID is ${formatId(packet.routerId)}${packet.routerId === 0 ? '' : ', which is ours'}`);
    const sequence = verified?.sequence;
    const neighbor = owner.neighbors.get(packet.routerId);
    const last = neighbor?.address === source ? neighbor.authenticationSequences.get(bytes[TYPE_AT]!) : undefined;
    if (sequence !== undefined && last !== undefined && sequence <= last) return refuse('replay', `sequence number ${sequence} of the Authentication Trailer after ${last}`);
    return { packet, sequence };
  }

  private dispatch(neighbor: Neighbor, packet: OspfPacket): void {
    switch (packet.kind) {
      case 'hello':
        return;
      case 'databaseDescription':
        neighbor.exchange.receiveDescription(packet);
        return;
      case 'linkStateRequest':
        neighbor.exchange.receiveRequest(packet);
        return;
      case 'linkStateUpdate':
        this.environment.flooding.receiveUpdate(neighbor, packet);
        return;
      case 'linkStateAcknowledgment':
        this.environment.flooding.receiveAcknowledgment(neighbor, packet);
    }
  }
}
