/** Capabilities of the OPEN (RFC 5492), each code in both directions. */
import { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import { copyOf } from './octets.js';
import type { AddPathFamily, Capability, ExtendedNextHopEntry, GracefulRestartFamily } from './types.js';

const Code = {
  multiprotocol: 1,
  routeRefresh: 2,
  extendedNextHop: 5,
  extendedMessage: 6,
  role: 9,
  gracefulRestart: 64,
  fourOctetAs: 65,
  addPath: 69,
  enhancedRouteRefresh: 70,
} as const;

const ADD_PATH_RECEIVE = 1;
const ADD_PATH_SEND = 2;
const FORWARDING_PRESERVED = 0x80;

/** Reads a list of fixed-size entries that fills the value; undefined when it does not. */
function entries<T>(value: Reader, size: number, read: (value: Reader) => T): T[] | undefined {
  if (value.remaining % size !== 0) return undefined;
  const list: T[] = [];
  while (value.remaining > 0) list.push(read(value));
  return list;
}

function decodeValue(code: number, value: Reader): Capability | undefined {
  switch (code) {
    case Code.multiprotocol: {
      if (value.remaining !== 4) return undefined;
      const afi = value.u16();
      value.skip(1);
      return { kind: 'multiprotocol', family: { afi, safi: value.u8() } };
    }
    case Code.routeRefresh:
      return value.remaining === 0 ? { kind: 'routeRefresh' } : undefined;
    case Code.extendedMessage:
      return value.remaining === 0 ? { kind: 'extendedMessage' } : undefined;
    case Code.role:
      return value.remaining === 1 ? { kind: 'role', role: value.u8() } : undefined;
    case Code.enhancedRouteRefresh:
      return value.remaining === 0 ? { kind: 'enhancedRouteRefresh' } : undefined;
    case Code.fourOctetAs:
      return value.remaining === 4 ? { kind: 'fourOctetAs', as: value.u32() } : undefined;
    case Code.extendedNextHop: {
      // RFC 8950 section 4: AFI and SAFI of two octets each.
      const list = entries(value, 6, (item): ExtendedNextHopEntry => ({ afi: item.u16(), safi: item.u16(), nextHopAfi: item.u16() }));
      return list && { kind: 'extendedNextHop', entries: list };
    }
    case Code.addPath: {
      const list = entries(value, 4, (item) => ({ afi: item.u16(), safi: item.u8(), mode: item.u8() }));
      // RFC 7911 section 4: any other Send/Receive value is ignored.
      const families = list
        ?.filter(({ mode }) => mode >= ADD_PATH_RECEIVE && mode <= (ADD_PATH_RECEIVE | ADD_PATH_SEND))
        .map(({ afi, safi, mode }): AddPathFamily => ({ afi, safi, receive: (mode & ADD_PATH_RECEIVE) !== 0, send: (mode & ADD_PATH_SEND) !== 0 }));
      return families && { kind: 'addPath', families };
    }
    case Code.gracefulRestart: {
      if (value.remaining < 2) return undefined;
      const head = value.u16();
      const families = entries(value, 4, (item): GracefulRestartFamily => ({
        afi: item.u16(),
        safi: item.u8(),
        forwardingPreserved: (item.u8() & FORWARDING_PRESERVED) !== 0,
      }));
      // RFC 4724 section 3 (R bit) and RFC 8538 section 2 (N bit).
      return families && { kind: 'gracefulRestart', restarting: (head & 0x8000) !== 0, notification: (head & 0x4000) !== 0, timeSeconds: head & 0xfff, families };
    }
    default:
      return undefined;
  }
}

/** Reads the capabilities of one optional parameter; undefined when their lengths do not add up. */
export function decodeCapabilities(parameter: Reader): Capability[] | undefined {
  const capabilities: Capability[] = [];
  while (parameter.remaining > 0) {
    const code = parameter.u8();
    const value = parameter.slice(parameter.u8());
    if (!value.ok) return undefined;
    const start = value.offset;
    capabilities.push(decodeValue(code, value) ?? { kind: 'unknown', code, value: copyOf(value.bytes, start, value.end) });
  }
  return capabilities;
}

function writeValue(writer: Writer, capability: Capability): void {
  switch (capability.kind) {
    case 'multiprotocol':
      writer.u16(capability.family.afi).u8(0).u8(capability.family.safi);
      break;
    case 'fourOctetAs':
      writer.u32(capability.as);
      break;
    case 'extendedNextHop':
      for (const { afi, safi, nextHopAfi } of capability.entries) writer.u16(afi).u16(safi).u16(nextHopAfi);
      break;
    case 'addPath':
      for (const { afi, safi, receive, send } of capability.families) {
        writer.u16(afi).u8(safi).u8((receive ? ADD_PATH_RECEIVE : 0) | (send ? ADD_PATH_SEND : 0));
      }
      break;
    case 'gracefulRestart':
      writer.u16((capability.restarting ? 0x8000 : 0) | (capability.notification ? 0x4000 : 0) | (capability.timeSeconds & 0xfff));
      for (const { afi, safi, forwardingPreserved } of capability.families) {
        writer.u16(afi).u8(safi).u8(forwardingPreserved ? FORWARDING_PRESERVED : 0);
      }
      break;
    case 'role':
      writer.u8(capability.role);
      break;
    case 'unknown':
      writer.octets(capability.value);
      break;
    case 'routeRefresh':
    case 'extendedMessage':
    case 'enhancedRouteRefresh':
      break;
  }
}

/** Code, length and value of one capability. Throws RangeError when the value exceeds 255 octets. */
export function encodeCapability(capability: Capability): Uint8Array {
  const writer = new Writer(16).u8(capability.kind === 'unknown' ? capability.code : Code[capability.kind]).u8(0);
  writeValue(writer, capability);
  const length = writer.length - 2;
  if (length > 255) throw new RangeError(`capability ${capability.kind} of ${length} octets`);
  writer.setU8(1, length);
  return writer.finish();
}
