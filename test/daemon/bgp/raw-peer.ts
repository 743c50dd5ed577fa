/** A peer that sends whatever octets a test wants, for what no well-behaved speaker does. */
import { MessageFramer } from '../../../daemon/bgp/wire/framer.js';
import { decodeMessage } from '../../../daemon/bgp/wire/decode.js';
import { encodeKeepalive, encodeOpen } from '../../../daemon/bgp/wire/encode.js';
import { packAnnouncements } from '../../../daemon/bgp/wire/pack.js';
import { AsSegmentType, type Capability, CPN_ATTRIBUTE_TYPE, EMPTY_ATTRIBUTES, type EncodeContext, IPV6_UNICAST, type Message, type OpenMessage, type PathAttributes } from '../../../daemon/bgp/wire/types.js';
import { Prefix } from '../../../dataplane/packet/ip.js';
import type { Stream } from '../../../daemon/bgp/transport.js';
import { neighbor, type Network, type Node } from './network.js';

export const hexBytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

/** A whole message around a body. */
export function message(type: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(19 + body.length).fill(0xff, 0, 16);
  new DataView(bytes.buffer).setUint16(16, bytes.length);
  bytes[18] = type;
  bytes.set(body, 19);
  return bytes;
}

/** An UPDATE with these path attributes and nothing else. */
export function update(attributes: string): Uint8Array {
  const list = hexBytes(attributes);
  const body = new Uint8Array(4 + list.length);
  new DataView(body.buffer).setUint16(2, list.length);
  body.set(list, 4);
  return message(2, body);
}

const PLAIN: EncodeContext = { fourOctetAs: true, addPath: () => false, extendedMessage: false, ibgp: false, cpnAttributeType: CPN_ATTRIBUTE_TYPE };

/** An UPDATE that announces one IPv6 prefix as a neighbour of this AS would. */
export function announcement(prefix: string, as: number, attributes: Partial<PathAttributes> = {}, context: EncodeContext = PLAIN): Uint8Array {
  const route = { ...EMPTY_ATTRIBUTES, asPath: [{ type: AsSegmentType.sequence, as: [as] }], ...attributes };
  const nextHop = { address: '2001:db8::bad', linkLocal: undefined };
  return packAnnouncements({ family: IPV6_UNICAST, nextHop, nlri: [{ prefix: Prefix.from(prefix), pathId: 0 }] }, route, context)![0]!;
}

export class RawPeer {
  readonly received: Message[] = [];
  /** Every message as it came. */
  readonly octets: Uint8Array[] = [];
  closed = false;
  stream: Stream | undefined;
  private readonly framer = new MessageFramer();

  constructor(
    private readonly network: Network,
    private readonly node: Node,
    readonly address: string,
    private readonly as: number,
    private readonly capabilities: readonly Capability[] = [{ kind: 'multiprotocol', family: { afi: 2, safi: 1 } }, { kind: 'fourOctetAs', as }],
  ) {
    this.framer.extendedMessage = true;
  }

  /** A node with one passive neighbour, and a raw peer in its place whose session is up. */
  static established(network: Network, node: Node, as = 65001, capabilities?: readonly Capability[], options: Parameters<typeof neighbor>[3] = {}): RawPeer {
    const peer = new RawPeer(network, node, '2001:db8::bad', as, capabilities);
    node.neighbors.push(neighbor(peer.address, node.address, as, { passive: true, ...options }));
    network.start(node);
    peer.connect();
    peer.open();
    peer.send(encodeKeepalive());
    network.settle(20);
    return peer;
  }

  connect(): void {
    this.network.links.connect(
      { local: this.address, remote: { address: this.node.address, port: 179 }, ttl: 255, minimumTtl: undefined, password: undefined, timeoutMs: 1000 },
      (stream) => this.adopt(stream),
      (error) => {
        throw new Error(error);
      },
    );
    this.network.settle(5);
  }

  adopt(stream: Stream): void {
    this.stream = stream;
    stream.attach({ received: (bytes) => this.take(bytes), drained: () => undefined, closed: () => (this.closed = true) });
  }

  open(overrides: Partial<OpenMessage> = {}): void {
    this.send(encodeOpen({ as: this.as, holdTime: 90, identifier: '10.9.9.9', capabilities: this.capabilities, ...overrides }));
  }

  send(...messages: Uint8Array[]): void {
    for (const bytes of messages) this.stream?.write(bytes);
    this.network.settle(20);
  }

  notification(): { code: number; subcode: number } | undefined {
    const found = this.received.find((other) => other.type === 'notification');
    return found && { code: found.code, subcode: found.subcode };
  }

  private take(bytes: Uint8Array): void {
    for (const raw of this.framer.push(bytes).messages) {
      this.octets.push(raw);
      const result = decodeMessage(raw, { fourOctetAs: true, addPath: () => false, extendedMessage: true, ibgp: this.as === this.node.as, cpnAttributeType: 255 });
      if (result.ok) this.received.push(result.message);
    }
  }
}
