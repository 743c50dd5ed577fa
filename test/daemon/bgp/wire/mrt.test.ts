import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { decodeMessage } from '../../../../daemon/bgp/wire/decode.js';
import { type DecodeContext, NO_ADVERTISE, NO_EXPORT, type PathAttributes, type UpdateMessage } from '../../../../daemon/bgp/wire/types.js';
import { canonicalIp } from '../../../../dataplane/packet/ip.js';
import { SHARED_DATA } from '../../../vectors/load.js';
import { type MrtMessage, mrtMessages } from './support/mrt.js';
import { PLAIN } from './support/session.js';

const folder = join(SHARED_DATA, 'mrt');
const ORIGINS = ['IGP', 'EGP', 'INCOMPLETE'];
const COMMUNITY_NAMES = new Map([
  [NO_EXPORT, 'no-export'],
  [NO_ADVERTISE, 'no-advertise'],
]);

function pathText({ asPath }: PathAttributes): string {
  return asPath.map(({ type, as }) => (type === 1 ? `{${as.join(',')}}` : as.join(' '))).join(' ');
}

/** A message as `bgpdump -m` prints it: a line a prefix. */
function lines({ time, peer, peerAs }: MrtMessage, { withdrawn, announced, attributes }: UpdateMessage): string[] {
  const head = (kind: 'A' | 'W'): string => `BGP4MP|${time}|${kind}|${peer}|${peerAs}`;
  const result = withdrawn.map(({ prefix }) => `${head('W')}|${prefix.toString()}`);
  for (const { nextHop, nlri } of announced) {
    const { origin, localPref, med, communities, atomicAggregate, aggregator } = attributes!;
    const tail = [
      pathText(attributes!),
      ORIGINS[origin],
      nextHop.address,
      localPref ?? 0,
      med ?? 0,
      communities.map((value) => COMMUNITY_NAMES.get(value) ?? `${value >>> 16}:${value & 0xffff}`).join(' '),
      atomicAggregate ? 'AG' : 'NAG',
      aggregator ? `${aggregator.as} ${aggregator.address}` : '',
    ].join('|');
    for (const { prefix } of nlri) result.push(`${head('A')}|${prefix.toString()}|${tail}|`);
  }
  return result;
}

/** bgpdump's own lines, addresses in canonical text. */
function bgpdumpLines(path: string): string[] {
  return gunzipSync(readFileSync(path))
    .toString()
    .trimEnd()
    .split('\n')
    .flatMap((line) => {
      const fields = line.split('|');
      if (fields[2] === 'STATE') return [];
      const [address, length] = fields[5]!.split('/');
      fields[5] = `${canonicalIp(address!)!}/${length!}`;
      fields[3] = canonicalIp(fields[3]!)!;
      if (fields[8] !== undefined) fields[8] = canonicalIp(fields[8])!;
      return [fields.join('|')];
    });
}

describe('Routing updates collected at route servers', { skip: existsSync(folder) ? false : `no data in ${folder}` }, () => {
  for (const name of ['updates.20071015.1505', 'updates.20160811.1600', 'updates.long_withdrawal']) {
    it(`${name}: every message reads as bgpdump reads it`, () => {
      const ours: string[] = [];
      let refused = 0;
      for (const message of mrtMessages(join(folder, `${name}.gz`))) {
        // Collectors peer externally; some route servers send LOCAL_PREF all the same, which bgpdump shows.
        const context: DecodeContext = { ...PLAIN, fourOctetAs: message.fourOctetAs };
        const result = decodeMessage(message.octets, context);
        assert.ok(result.ok, inspect(result));
        if (result.message.type !== 'update') continue;
        if (result.message.disposition !== 'accept') {
          assert.deepEqual(result.message.faults.map(({ reason }) => reason), ['MP_REACH_NLRI with next hop ::']);
          refused += result.message.withdrawn.length;
        } else ours.push(...lines(message, result.message));
      }
      const all = bgpdumpLines(join(folder, `${name}.gz.bgp.gz`));
      const expected = all.filter((line) => line.split('|')[8] !== '::');
      assert.equal(refused, all.length - expected.length, 'routes without a usable next hop are withdrawn, and only those');
      assert.ok(expected.length > 1000);
      const missing = difference(expected, ours);
      const surplus = difference(ours, expected);
      assert.deepEqual({ missing: missing.slice(0, 5), surplus: surplus.slice(0, 5) }, { missing: [], surplus: [] });
    });
  }
});

/** The lines of `a` that are not in `b`, as often as they are missing. */
function difference(a: readonly string[], b: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of b) counts.set(line, (counts.get(line) ?? 0) + 1);
  return a.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}
