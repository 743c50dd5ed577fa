/** BGP roles and Only to Customer (RFC 9234). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { roleFault, type Role } from '../../../../daemon/bgp/role.js';
import type { Capability, OpenMessage } from '../../../../daemon/bgp/wire/types.js';
import type { BgpNeighborConfig } from '../../../../daemon/config/types.js';
import { IPV6_UNICAST } from '../../../../daemon/bgp/wire/types.js';
import { Network, type Node } from '../network.js';
import { announcement, RawPeer } from '../raw-peer.js';
import { attribute, AS_PATH, decodedUpdate, EBGP, MP_REACH, ORIGIN, update } from '../wire/support/messages.js';

const roles: readonly Role[] = ['provider', 'rs', 'rs-client', 'customer', 'peer'];
const said = (...values: number[]): OpenMessage => ({
  type: 'open',
  as: 65001,
  myAutonomousSystem: 65001,
  holdTime: 90,
  identifier: '10.9.9.9',
  capabilities: values.map((role): Capability => ({ kind: 'role', role })),
});

describe('9234 section 4.2: role correctness', () => {
  const allowed = new Set(['provider customer', 'customer provider', 'rs rs-client', 'rs-client rs', 'peer peer']);
  for (const local of roles) {
    for (const [value, remote] of roles.entries()) {
      const fits = allowed.has(`${local} ${remote}`);
      test(`9234 section 4.2: ${local} here and ${remote} there ${fits ? 'fit together' : 'are a Role Mismatch'}`, () => {
        const fault = roleFault(local, false, said(value));
        assert.deepEqual(fault && [fault.code, fault.subcode], fits ? undefined : [2, 11]);
      });
    }
  }

  test('9234 section 4.2: a role that is said twice counts once, two roles and roles nobody has assigned are a mismatch', () => {
    assert.equal(roleFault('customer', false, said(0, 0)), undefined);
    assert.equal(roleFault('customer', false, said(0, 4))?.subcode, 11);
    assert.equal(roleFault('customer', false, said(5))?.subcode, 11);
  });

  test('9234 section 4.2: a peer that says no role is taken, but not in strict mode', () => {
    assert.equal(roleFault('customer', false, said()), undefined);
    assert.equal(roleFault('customer', true, said())?.subcode, 11);
    assert.equal(roleFault(undefined, false, said(3)), undefined);
  });
});

const session = (left: Partial<BgpNeighborConfig>, right: Partial<BgpNeighborConfig>): { network: Network; a: Node; b: Node } => Network.pair({ as: 65000 }, { as: 65001 }, left, right);

test('9234 section 4.1: both sides tell their roles in OPEN', () => {
  const { a, b } = session({ role: 'provider' }, { role: 'customer' });
  assert.equal(a.state(b), 'Established');
  assert.ok(a.view(b).capabilities.received.includes('role customer'));
  assert.ok(b.view(a).capabilities.received.includes('role provider'));
});

test('9234 section 4.2: roles that do not fit keep the session down with OPEN Message Error, Role Mismatch', () => {
  const { network, a, b } = session({ role: 'peer', passive: true }, { role: 'customer' });
  network.settle(3000);
  assert.notEqual(a.state(b), 'Established');
  assert.ok([a, b].some((node) => node.events.some(({ text }) => text === 'sent OPEN Message Error: Role Mismatch (2/11)')));
});

const raw = (role: Role | undefined): { network: Network; node: Node; peer: RawPeer } => {
  const network = new Network();
  const node = network.node({ as: 65000 });
  const capabilities: Capability[] = [
    { kind: 'multiprotocol', family: IPV6_UNICAST },
    { kind: 'fourOctetAs', as: 65001 },
  ];
  const peer = RawPeer.established(network, node, 65001, capabilities, { role });
  return { network, node, peer };
};
const prefix = '2001:db8:b::/48';

/** Rows: our role, the OTC that arrives, what becomes of the route: refused, or the OTC it has here. */
const ingress: readonly (readonly [Role, number | undefined, 'leak' | number | undefined])[] = [
  ['provider', undefined, undefined],
  ['provider', 65001, 'leak'],
  ['provider', 64999, 'leak'],
  ['rs', undefined, undefined],
  ['rs', 65001, 'leak'],
  ['peer', undefined, 65001],
  ['peer', 65001, 65001],
  ['peer', 64999, 'leak'],
  ['customer', undefined, 65001],
  ['customer', 64999, 64999],
  ['rs-client', undefined, 65001],
  ['rs-client', 64999, 64999],
];
for (const [role, otc, outcome] of ingress) {
  test(`9234 section 5: as ${role}, a route ${otc === undefined ? 'without OTC' : `with OTC ${otc}`} from AS 65001 ${outcome === 'leak' ? 'is a leak' : outcome === undefined ? 'stays without' : `has OTC ${outcome}`}`, () => {
    const { node, peer } = raw(role);
    peer.send(announcement(prefix, 65001, { onlyToCustomer: otc }));
    const [route] = node.speaker.routes(prefix);
    assert.equal(route?.rejected, outcome === 'leak');
    if (outcome === 'leak') assert.equal(route.reason, 'route leak: Only to Customer (RFC 9234)');
    else assert.equal(route.onlyToCustomer, outcome);
  });
}

/** Rows: our role towards the receiver, the OTC the route has here, what is sent: nothing, or the OTC. */
const egress: readonly (readonly [Role, boolean, 'nothing' | 'kept' | 'added' | 'without'])[] = [
  ['provider', false, 'added'],
  ['peer', false, 'added'],
  ['rs', false, 'added'],
  ['customer', false, 'without'],
  ['rs-client', false, 'without'],
  ['provider', true, 'kept'],
  ['rs', true, 'kept'],
  ['peer', true, 'nothing'],
  ['customer', true, 'nothing'],
  ['rs-client', true, 'nothing'],
];
for (const [role, marked, outcome] of egress) {
  test(`9234 section 5: as ${role}, a route ${marked ? 'with' : 'without'} OTC leaves: ${outcome}`, () => {
    const network = new Network();
    const [source, node, receiver] = [network.node({ as: 65001 }), network.node({ as: 65000 }), network.node({ as: 65002 })];
    network.connect(source, node, {}, marked ? { role: 'customer' } : {});
    network.connect(node, receiver, { role });
    network.start(source, node, receiver);
    source.speaker.announce({ prefix });
    network.settle(2000);
    const route = receiver.speaker.routes(prefix)[0];
    assert.equal(node.speaker.routes(prefix)[0]?.onlyToCustomer, marked ? 65001 : undefined);
    if (outcome === 'nothing') assert.equal(route, undefined);
    else assert.equal(route?.onlyToCustomer, { kept: 65001, added: 65000, without: undefined }[outcome]);
  });
}

for (const value of ['', '00', '0000fd', '0000fde900', '0000fde9 0000fde9']) {
  test(`9234 section 5: OTC of ${value.replaceAll(' ', '').length / 2} octets withdraws the route`, () => {
    const decoded = decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, MP_REACH, attribute(0xc0, 35, value)] }), EBGP);
    assert.equal(decoded.disposition, 'treatAsWithdraw');
    assert.equal(decoded.faults[0]?.section, 'RFC 9234 section 5');
  });
}
