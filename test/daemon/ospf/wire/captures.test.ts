import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { decodePacket, encodePacket } from '../../../../daemon/ospf/wire/packet.js';
import type { OspfPacket } from '../../../../daemon/ospf/wire/types.js';
import { SHARED_DATA } from '../../../vectors/load.js';
import { type RecordedPacket, recordedPackets } from './support/recorded.js';

function decoded({ octets, ...addresses }: RecordedPacket): OspfPacket {
  const result = decodePacket(octets, addresses);
  assert.ok(result.ok, inspect(result));
  return result.packet;
}

describe('OSPFv3 captures collected by others', { skip: existsSync(SHARED_DATA) ? false : `no data in ${SHARED_DATA}` }, () => {
  const folder = join(SHARED_DATA, 'pcap');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('OSPFv3_')) : [];
  for (const name of names) {
    it(`${name}: every packet is read, and written again octet for octet`, () => {
      const packets = recordedPackets(join(folder, name));
      assert.ok(packets.length > 20);
      for (const recorded of packets) {
        const packet = decoded(recorded);
        if (packet.kind === 'linkStateUpdate') {
          assert.deepEqual(packet.faults, []);
          for (const { body, header } of packet.lsas) assert.ok(body.kind !== 'unknown' && body.kind !== 'malformed', inspect({ header, body }));
        }
        assert.deepEqual(encodePacket(packet, recorded), new Uint8Array(recorded.octets), inspect(packet));
      }
    });
  }
});
