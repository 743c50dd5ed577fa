/** CLUSTER_LIST of route reflection (RFC 4456 section 8), between internal peers only. */
import { formatIp, parseIp } from '../../../../dataplane/packet/ip.js';
import { AttributeType } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, OPTIONAL_NON_TRANSITIVE, withdraw, writeAttributeHeader } from './attribute.js';

export const clusterList: AttributeDecoder = {
  type: AttributeType.clusterList,
  name: 'CLUSTER_LIST',
  flags: OPTIONAL_NON_TRANSITIVE,
  internalOnly: true,
  decode(value, draft) {
    if (value.remaining === 0 || value.remaining % 4 !== 0) return withdraw('RFC 7606 section 7.10', `CLUSTER_LIST of ${value.remaining} octets`);
    const list: string[] = [];
    while (value.remaining > 0) list.push(formatIp(value.octets(4)));
    draft.clusterList = list;
    return undefined;
  },
};

export const encodeClusterList: AttributeEncoder = (writer, attributes, context) => {
  const list = attributes.clusterList;
  if (list.length === 0 || !context.ibgp) return;
  writeAttributeHeader(writer, OPTIONAL_NON_TRANSITIVE, AttributeType.clusterList, 4 * list.length);
  for (const cluster of list) writer.octets(parseIp(cluster)!);
};
