/** Follows recorded BGP sessions: what both OPENs negotiate decides how the other messages are read. */
import { decodeMessage } from '../../../../../daemon/bgp/wire/decode.js';
import { MessageFramer } from '../../../../../daemon/bgp/wire/framer.js';
import { CPN_ATTRIBUTE_TYPE, type DecodeContext, type DecodeResult, type OpenMessage } from '../../../../../daemon/bgp/wire/types.js';
import { tcpStreams } from './pcap.js';

export interface Recorded {
  readonly source: string;
  readonly octets: Uint8Array;
  readonly context: DecodeContext;
  readonly result: DecodeResult;
}

/** How messages from `sender` to `receiver` are read. */
export function negotiated(sender: OpenMessage, receiver: OpenMessage): DecodeContext {
  const both = (kind: 'fourOctetAs' | 'extendedMessage'): boolean => [sender, receiver].every(({ capabilities }) => capabilities.some((item) => item.kind === kind));
  const families = ({ capabilities }: OpenMessage) => capabilities.flatMap((item) => (item.kind === 'addPath' ? item.families : []));
  return {
    fourOctetAs: both('fourOctetAs'),
    extendedMessage: receiver.capabilities.some(({ kind }) => kind === 'extendedMessage'),
    ibgp: sender.as === receiver.as,
    cpnAttributeType: CPN_ATTRIBUTE_TYPE,
    addPath: (afi, safi) =>
      families(sender).some((family) => family.afi === afi && family.safi === safi && family.send) &&
      families(receiver).some((family) => family.afi === afi && family.safi === safi && family.receive),
  };
}

/** Context for sessions whose OPENs were not recorded. */
export const PLAIN: DecodeContext = { fourOctetAs: true, extendedMessage: true, ibgp: true, cpnAttributeType: CPN_ATTRIBUTE_TYPE, addPath: () => false };

/** Every message of every session in a capture; `fallback` where the OPENs were not recorded. Fails when a stream cannot be cut into messages. */
export function recordedMessages(path: string, fallback = PLAIN): Recorded[] {
  const directions = tcpStreams(path).map((stream) => {
    const framer = new MessageFramer();
    framer.extendedMessage = true;
    const messages = stream.chunks.flatMap((chunk) => {
      const { messages: cut, fault } = framer.push(chunk);
      if (fault) throw new Error(`${path}: ${fault.reason}`);
      return cut;
    });
    const first = messages.map((octets) => decodeMessage(octets, PLAIN)).find((result) => result.ok && result.message.type === 'open');
    return { stream, messages, open: first?.ok && first.message.type === 'open' ? first.message : undefined };
  });
  return directions.flatMap(({ stream, messages, open }) => {
    const peer = directions.find((other) => other.stream.source === stream.destination && other.stream.destination === stream.source);
    const context = open && peer?.open ? negotiated(open, peer.open) : fallback;
    return messages.map((octets): Recorded => ({ source: stream.source, octets, context, result: decodeMessage(octets, context) }));
  });
}
