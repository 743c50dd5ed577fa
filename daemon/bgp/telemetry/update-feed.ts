/** UPDATEs as they pass, taken apart into one line a route: what `cpnctl monitor bgp --updates` shows. */
import { Prefix } from '../../../dataplane/packet/ip.js';
import type { BgpUpdateView, UpdateFilter } from '../../northbound/telemetry.js';
import { formatAsPath } from '../attributes.js';
import { formatCommunity } from '../policy/communities.js';
import { decodeMessage } from '../wire/decode.js';
import { familyOf, familyOfDestination, ipPrefixOf } from '../wire/families.js';
import { MessageType, type Nlri, type PathAttributes, type UpdateMessage } from '../wire/types.js';
import type { TelemetrySource } from './source.js';
import type { TappedSession } from './tap.js';

const TYPE_OFFSET = 18;
const ORIGINS = ['igp', 'egp', 'incomplete'] as const;

type Line = Omit<BgpUpdateView, 'unixMs' | 'neighbor' | 'direction'>;

const NOTHING = { nextHop: undefined, origin: undefined, asPath: undefined, med: undefined, localPref: undefined, communities: [], cpn: undefined } as const;

const describe = (attributes: PathAttributes, nextHop: string): Omit<Line, 'kind' | 'family' | 'prefix' | 'pathId' | 'disposition'> => ({
  nextHop,
  origin: ORIGINS[attributes.origin],
  asPath: formatAsPath(attributes.asPath),
  med: attributes.med,
  localPref: attributes.localPref,
  communities: attributes.communities.map(formatCommunity),
  cpn: attributes.cpn && Buffer.from(attributes.cpn.value).toString('hex'),
});

function* linesOf({ withdrawn, announced, attributes, endOfRib, disposition }: UpdateMessage, wanted: (nlri: Nlri) => boolean): Generator<Line> {
  for (const nlri of withdrawn) {
    const { prefix, pathId } = nlri;
    if (wanted(nlri)) yield { kind: 'withdraw', family: familyOfDestination(prefix), prefix: prefix.toString(), pathId, disposition, ...NOTHING };
  }
  for (const { nextHop, nlri: list } of announced) {
    if (!attributes) continue;
    const described = describe(attributes, nextHop.address);
    for (const nlri of list) {
      const { prefix, pathId } = nlri;
      if (wanted(nlri)) yield { kind: 'announce', family: familyOfDestination(prefix), prefix: prefix.toString(), pathId, disposition, ...described };
    }
  }
  if (endOfRib) yield { kind: 'end-of-rib', family: familyOf(endOfRib) ?? `afi ${endOfRib.afi} safi ${endOfRib.safi}`, prefix: '', pathId: 0, disposition, ...NOTHING };
}

/** Calls `listener` with each route of each UPDATE that passes the filter; the answer ends it. */
export function feedUpdates(source: TelemetrySource, { neighbor, prefix }: UpdateFilter, listener: (update: BgpUpdateView) => void): () => void {
  const within = prefix === undefined ? undefined : Prefix.from(prefix);
  const wanted = (nlri: Nlri): boolean => within === undefined || (ipPrefixOf(nlri.prefix).family === within.family && within.contains(ipPrefixOf(nlri.prefix)));
  return source.tap({
    message(session: TappedSession, direction, message) {
      if (message[TYPE_OFFSET] !== MessageType.update || (neighbor !== undefined && neighbor !== session.address)) return;
      const result = decodeMessage(message, direction === 'received' ? session.asReceived : session.asSent);
      if (!result.ok || result.message.type !== 'update') return;
      const unixMs = BigInt(source.clock.unixMs());
      for (const line of linesOf(result.message, wanted)) if (line.prefix !== '' || within === undefined) listener({ unixMs, neighbor: session.address, direction, ...line });
    },
  });
}
