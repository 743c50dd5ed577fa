import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { areaComNet } from '../../../daemon/ospf/comnet.js';
import { type Lsa, type LsaBody, LsType, type RouterLink, type TeLink } from '../../../daemon/ospf/wire/types.js';

const FLAGS = { nt: false, v: false, e: false, b: false };
const lsa = (type: number, router: number, id: number, body: LsaBody): Lsa => ({ header: { age: 1, type, id, router, sequence: 1, checksum: 0, length: 20 }, raw: new Uint8Array(20), body });
const routerLsa = (router: number, links: readonly RouterLink[]): Lsa => lsa(LsType.router, router, 0, { kind: 'router', flags: FLAGS, options: 0, links });
const p2p = (interfaceId: number, neighborRouterId: number): RouterLink => ({ type: 1, metric: 1, interfaceId, neighborInterfaceId: 1, neighborRouterId });
const NO_TE: TeLink = {
  linkType: 1, neighbor: undefined, local: [], remote: [], teMetric: undefined, maximumBandwidth: undefined, maximumReservable: undefined, delay: undefined, delayRange: undefined,
  delayVariationUs: undefined, loss: undefined, residualBandwidth: undefined, availableBandwidth: undefined, utilizedBandwidth: undefined,
};

function view(lsas: readonly Lsa[], unreachable: readonly number[] = []): ReturnType<typeof areaComNet> {
  return areaComNet({
    own: 1,
    isReachable: (router) => !unreachable.includes(router),
    loopbackOf: (router) => (router === 9 ? undefined : `fc00:0:${router}::1`),
    lsas: (type) => lsas.filter(({ header }) => header.type === type),
  });
}

const pairs = ({ edges }: ReturnType<typeof areaComNet>): string[] => edges.map(({ from, to }) => `${from} ${to}`);

describe('the area in ComNet', () => {
  it('has the links of others with what their TE LSAs say, in bit/s and ppm', () => {
    const te = lsa(LsType.intraAreaTe, 2, 5, { kind: 'intraAreaTe', routerAddress: undefined, link: { ...NO_TE, delay: { us: 4000, anomalous: false }, delayVariationUs: 90, loss: { value: 333_333, anomalous: false }, maximumBandwidth: 1e6, utilizedBandwidth: 2.5e5 } });
    const graph = view([routerLsa(1, [p2p(1, 2)]), routerLsa(2, [p2p(5, 3), p2p(6, 1)]), te]);
    assert.deepEqual(pairs(graph), ['fc00:0:2::1 fc00:0:3::1', 'fc00:0:2::1 fc00:0:1::1']);
    const { delayUs, variationUs, lossPpm, bandwidth, sendRate, utilisation } = graph.edges[0]!;
    assert.deepEqual([delayUs, variationUs, lossPpm, bandwidth, sendRate, utilisation], [4000, 90, 10_000, 8e6, 2e6, 0.25]);
    assert.equal(graph.edges[1]!.delayUs, undefined);
  });

  it('joins all routers of a network', () => {
    const transit: RouterLink = { type: 2, metric: 1, interfaceId: 4, neighborInterfaceId: 7, neighborRouterId: 3 };
    const graph = view([routerLsa(2, [transit]), lsa(LsType.network, 3, 7, { kind: 'network', options: 0, routers: [1, 2, 3] })]);
    assert.deepEqual(pairs(graph), ['fc00:0:2::1 fc00:0:1::1', 'fc00:0:2::1 fc00:0:3::1']);
  });

  it('leaves out routers that cannot be reached, and names those without a loopback by their router ID', () => {
    const graph = view([routerLsa(2, [p2p(1, 9), p2p(2, 4)]), routerLsa(4, [p2p(1, 2)])], [4]);
    assert.deepEqual(pairs(graph), ['fc00:0:2::1 0.0.0.9']);
    assert.deepEqual(graph.nodes.map(({ id }) => id), ['fc00:0:2::1']);
  });
});
