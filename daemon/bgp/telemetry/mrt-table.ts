/** A dump of all accepted paths as MRT TABLE_DUMP_V2 (RFC 6396 section 4.3), in slices between which others get their turn. */
import { open, rename, rm } from 'node:fs/promises';
import { Writer } from '../../../dataplane/packet/cursor.js';
import { Prefix } from '../../../dataplane/packet/ip.js';
import type { RibEntry } from '../loc-rib.js';
import type { Path } from '../path.js';
import { afiSafiOf, familyOfDestination } from '../wire/families.js';
import { writeNlri } from '../wire/nlri.js';
import { encodeAttributes } from '../wire/pack.js';
import type { EncodeContext } from '../wire/types.js';
import { abbreviatedMpReach, mrtPeerIndexTable, mrtRib, mrtRibGeneric, type MrtPeer, type MrtRibEntry } from './mrt.js';
import type { TelemetrySource } from './source.js';

/** Octets gathered before they are written. */
const CHUNK = 128 * 1024;

export interface TableDump {
  readonly prefixes: number;
  readonly paths: number;
  readonly octets: number;
}

/** Peers by address, the first of them this router itself. */
function peerTable(source: TelemetrySource): { readonly peers: MrtPeer[]; readonly index: Map<string, number> } {
  const { identifier, loopback, as } = source.local;
  const peers: MrtPeer[] = [{ identifier, address: loopback, as }];
  const index = new Map([['', 0]]);
  for (const { session } of source.sessions()) {
    index.set(session.address, peers.length);
    peers.push({ identifier: session.identifier, address: session.address, as: session.as });
  }
  return { peers, index };
}

function attributesOf({ attributes, nextHop, prefix }: Path, context: EncodeContext): Uint8Array {
  const isClassic = !nextHop.address.includes(':') && familyOfDestination(prefix) === 'ipv4-unicast';
  const encoded = encodeAttributes(attributes, context, isClassic ? nextHop.address : undefined);
  return isClassic ? encoded : Buffer.concat([encoded, abbreviatedMpReach(nextHop)]);
}

/**
 * Writes the table to `path`, which appears when it is complete. Rejects with the error of the file system.
 * Routes that come and go meanwhile may be in it or not.
 */
export async function dumpTable(source: TelemetrySource, path: string): Promise<TableDump> {
  const { clock, local } = source;
  const unixMs = clock.unixMs();
  const context: EncodeContext = { fourOctetAs: true, addPath: () => false, extendedMessage: true, ibgp: true, cpnAttributeType: source.attributeType };
  const { peers, index } = peerTable(source);
  const total = { prefixes: 0, paths: 0, octets: 0 };
  const originatedAt = (receivedAt: number): number => Math.floor((unixMs - (clock.now() - receivedAt)) / 1000);

  const recordOf = ({ prefix, paths }: RibEntry): Uint8Array => {
    // A peer that came after the dump began is not in its table.
    const known = paths.filter(({ source: { address } }) => index.has(address));
    const entries = known.map((one): MrtRibEntry => ({ peer: index.get(one.source.address)!, originatedAt: originatedAt(one.receivedAt), pathId: one.pathId, attributes: attributesOf(one, context) }));
    total.paths += entries.length;
    if (prefix instanceof Prefix) return mrtRib(unixMs, total.prefixes++, prefix, entries);
    const nlri = new Writer(32);
    writeNlri(nlri, { prefix, pathId: 0 }, false);
    return mrtRibGeneric(unixMs, total.prefixes++, afiSafiOf(familyOfDestination(prefix)), nlri.finish(), entries);
  };

  const part = `${path}.part`;
  const file = await open(part, 'w');
  try {
    let chunk: Uint8Array[] = [mrtPeerIndexTable(unixMs, local.identifier, 'main', peers)];
    let gathered = chunk[0]!.length;
    const flush = async (): Promise<void> => {
      const octets = Buffer.concat(chunk);
      await file.writeFile(octets);
      total.octets += octets.length;
      chunk = [];
      gathered = 0;
    };
    for (const entry of source.locRib()) {
      if (entry.paths.length === 0) continue;
      const record = recordOf(entry);
      chunk.push(record);
      gathered += record.length;
      if (gathered >= CHUNK) await flush();
    }
    await flush();
    await file.close();
    await rename(part, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error;
  }
  return total;
}
