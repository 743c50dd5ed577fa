/** Packets built by others: scapy's in test/vectors/packet/packets.json, and captures outside the project where they are there. */
import { existsSync, readFileSync } from 'node:fs';
import type { FlowKey } from '../../../dataplane/dataplane.js';

// From dist/test/dataplane/packet/ to the checkout.
const ROOT = new URL('../../../../', import.meta.url);

export interface ClassifiedVector {
  readonly name: string;
  readonly hex: string;
  readonly kind: 'flow' | 'later-fragment' | 'icmp-error' | 'malformed';
  readonly key: FlowKey | null;
  readonly requirement?: string;
  readonly fragment?: 'first' | 'later';
  readonly identification?: number;
}

export interface EncapsulatedVector {
  readonly segments: readonly string[];
  readonly reduced: boolean;
  readonly flowLabel: number;
  readonly inner: string;
  readonly hex: string;
}

export interface PacketVectors {
  readonly router: string;
  readonly classified: readonly ClassifiedVector[];
  readonly encapsulated: readonly EncapsulatedVector[];
}

export const vectors = JSON.parse(readFileSync(new URL('test/vectors/packet/packets.json', ROOT), 'utf8')) as PacketVectors;

export const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

/** First packet of a capture (classic pcap, Ethernet) from ../shared/data/pcap, from the IPv6 header on; undefined where the folder is absent. */
export function capturedPacket(name: string): Uint8Array | undefined {
  const path = new URL(`../shared/data/pcap/${name}`, ROOT);
  if (!existsSync(path)) return undefined;
  const file = readFileSync(path);
  const length = file.readUInt32LE(24 + 8);
  return Uint8Array.from(file.subarray(24 + 16 + 14, 24 + 16 + length));
}
