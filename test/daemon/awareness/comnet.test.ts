import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ComNet } from '../../../daemon/awareness/comnet/comnet.js';
import { expectedDelay, mergeComNet, type ComNetPart } from '../../../daemon/awareness/comnet/graph.js';
import { ownComNet, type OwnView } from '../../../daemon/awareness/comnet/own-view.js';
import type { Candidate, PathState } from '../../../daemon/rib/candidate.js';
import { makeInstance } from '../rib/instances.js';

const SELF = 'fc00:0:1::1';
const EXIT = 'fc00:0:11::1';
const HOP = '2001:db8:0:1::2';
const NO_DETAIL = { variationUs: undefined, forwardUs: undefined, backwardUs: undefined, hops: undefined, returnPathFollowed: undefined };
const STATE: PathState = { rttUs: 4000, jitterUs: 10, lossPpm: 2000, alive: true, cost: 0, mtu: 1500, resolved: true };
const statistics = { rttUs: 1000, minimumUs: 900, meanUs: 1000, jitterUs: 5, lossPpm: 100, sent: 10, received: 10, lost: 0, late: 0 };

const view = (changes: Partial<OwnView> = {}): OwnView => ({ router: { loopback: SELF, name: 'entry' }, links: [], ways: [], candidates: [], ...changes });
const way = (changes: Partial<OwnView['ways'][number]> = {}): OwnView['ways'][number] => ({ way: { exit: EXIT, transit: [], back: [] }, state: STATE, interface: 'eth1', gateway: HOP, detail: undefined, ...changes });
const link = (changes: Partial<OwnView['links'][number]> = {}): OwnView['links'][number] => ({ interface: 'eth1', up: true, neighbour: HOP, own: '2001:db8:0:1::1', measurement: { answers: true, statistics, detail: NO_DETAIL }, load: undefined, ...changes });

describe('the weight of an edge', () => {
  const edge = { up: true, delayUs: 1000, variationUs: 200, lossPpm: 0, utilisation: 0 };

  it('is the delay and half its variation; loss and use make it longer', () => {
    assert.equal(expectedDelay(edge), 1100);
    assert.equal(expectedDelay({ ...edge, lossPpm: 500_000 }), 2200);
    assert.equal(expectedDelay({ ...edge, utilisation: 0.5 }), 2200);
  });

  it('there is none of what is down or not measured', () => {
    assert.equal(expectedDelay({ ...edge, up: false }), undefined);
    assert.equal(expectedDelay({ ...edge, delayUs: undefined }), undefined);
  });

  it('is a finite number however bad the link is, and never falls when something gets worse', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), share, share, share, (delayUs, loss, moreLoss, utilisation) => {
        const at = (lossPpm: number): number => expectedDelay({ up: true, delayUs, variationUs: 0, lossPpm, utilisation })!;
        assert.ok(Number.isFinite(at(1e6 * loss)) && at(1e6 * loss) >= delayUs);
        assert.ok(at(1e6 * Math.max(loss, moreLoss)) >= at(1e6 * loss));
      }),
    );
  });
});

describe('what a router knows of ComNet', () => {
  it('a link is measured one way: by synchronised clocks, else by half of the round trip', () => {
    const [half] = ownComNet(view({ links: [link()] })).edges;
    assert.deepEqual([half!.from, half!.to, half!.kind, half!.interface, half!.delayUs, half!.lossPpm], [SELF, HOP, 'link', 'eth1', 500, 100]);
    const [exact] = ownComNet(view({ links: [link({ measurement: { answers: true, statistics, detail: { ...NO_DETAIL, forwardUs: 700 } } })] })).edges;
    assert.equal(exact!.delayUs, 700);
  });

  it('a neighbour that runs no STAMP has a link without delay, and an interface without neighbours has none', () => {
    const { edges } = ownComNet(view({ links: [link({ measurement: { answers: false, statistics, detail: NO_DETAIL } }), link({ interface: 'eth2', neighbour: undefined, measurement: undefined })] }));
    assert.deepEqual(edges.map(({ delayUs, lossPpm }) => [delayUs, lossPpm]), [[undefined, undefined]]);
  });

  it('a neighbour is the exit that a plain way without hops leads to', () => {
    const to = (hops: number | undefined, transit: readonly string[] = []): string =>
      ownComNet(view({ links: [link()], ways: [way({ detail: { ...NO_DETAIL, hops }, way: { exit: EXIT, transit, back: [] } })] })).edges.find(({ kind }) => kind === 'link')!.to;
    assert.deepEqual([to(0), to(1), to(undefined), to(0, ['fcbb:bb00:2::'])], [EXIT, HOP, HOP, HOP]);
  });

  it('computing stands at the exit that fronts it, summed over classes and chips', () => {
    const base = makeInstance(2, 5);
    const instance = { ...base, computing: [...base.computing, { class: 2 as const, chip: 2, total: 10n, residual: 4n }], load: { utilisation: 2500, queueLength: 0, activeFlows: 0 } };
    const candidate = { service: '2001:db8:5e::1', exit: EXIT, instance } as unknown as Candidate;
    const { nodes } = ownComNet(view({ ways: [way()], candidates: [candidate] }));
    const exit = nodes.find(({ id }) => id === EXIT)!;
    const sum = base.computing.reduce((total, { residual }) => total + residual, 0n);
    assert.deepEqual([exit.kind, exit.computing[0]!.residual, exit.computing[0]!.utilisation], ['exit', sum + 4n, 0.25]);
    assert.deepEqual(nodes.find(({ id }) => id === SELF), { id: SELF, name: 'entry', kind: 'self', computing: [] });
  });

  it('a way is up while it is alive and its first SID resolves', () => {
    const up = (changes: Partial<PathState>): boolean => ownComNet(view({ ways: [way({ state: { ...STATE, ...changes } })] })).edges[0]!.up;
    assert.deepEqual([up({}), up({ alive: false }), up({ resolved: false })], [true, false, false]);
  });
});

describe('the graph of several sources', () => {
  it('unites what they say of a node, knows the ends of every edge, and counts an edge once', () => {
    const own: ComNetPart = ownComNet(view({ links: [link()], ways: [way()] }));
    const other: ComNetPart = { nodes: [{ id: HOP, name: 't1', kind: 'router', computing: [] }, { id: SELF, name: undefined, kind: 'router', computing: [] }], edges: [own.edges[0]!, { ...own.edges[0]!, from: HOP, to: EXIT, interface: 'eth9' }] };
    const comnet = new ComNet();
    comnet.addSource(() => own);
    const remove = comnet.addSource(() => other);
    const { nodes, edges } = comnet.graph();
    assert.deepEqual(nodes.map(({ id, name, kind }) => [id, name, kind]).sort(), [[HOP, 't1', 'router'], [SELF, 'entry', 'self'], [EXIT, undefined, 'exit']].sort());
    assert.equal(edges.length, 3);
    assert.equal(edges[0]!.weight, 500 / (1 - 0.0001));
    remove();
    assert.equal(comnet.graph().edges.length, 2);
    assert.deepEqual(mergeComNet([{ nodes: [], edges: [own.edges[0]!] }]).nodes.map(({ id, kind }) => [id, kind]), [[SELF, 'router'], [HOP, 'router']]);
  });
});
