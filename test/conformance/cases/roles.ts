/** RFC 9234: BGP roles and the Only to Customer attribute. */
import { casesOf } from '../case.js';
import { expectDisposition } from '../outcome.js';
import type { Profile } from '../target.js';
import { routeText, type Tester } from '../tester.js';
import { verify } from '../verdict.js';
import { attribute, optionalTransitive, Type } from '../wire/attributes.js';
import { type Bytes, Capability, toHex, u32, u8 } from '../wire/build.js';

const Role = { provider: 0, customer: 3, peer: 4 } as const;
const withRole = (role: number): { extraCapabilities: Bytes[] } => ({ extraCapabilities: [Capability.role(role)] });
const onlyToCustomer = (as: number): Bytes => attribute(optionalTransitive, Type.onlyToCustomer, u32(as));
/** The role that the tester has to say towards a kind of neighbour. */
const mine: Partial<Record<Profile, number>> = { customer: Role.customer, provider: Role.provider, lateral: Role.peer };

const offers =
  (profile: Profile, role: number) =>
  async (tester: Tester): Promise<void> => {
    const peer = await tester.openSent(profile);
    verify(toHex(peer.offered(9) ?? u8()) === toHex(u8(role)), `capability 9: ${toHex(peer.offered(9) ?? u8()) || 'missing'}`);
  };

/** A route from one kind of neighbour: what comes out at another, or that nothing does. */
async function sent(tester: Tester, from: Profile, to: Profile, extra: readonly Bytes[]): Promise<string | undefined> {
  const role = (profile: Profile): object => (mine[profile] === undefined ? {} : withRole(mine[profile]));
  const collector = await tester.established(to, role(to));
  const feeder = await tester.established(from, role(from));
  const witness = await tester.established('external');
  const prefix = tester.prefix();
  feeder.send(tester.announcement(feeder, [prefix], { extra, ...(from === 'internal' ? { asPath: [64950] } : {}) }));
  await collector.until(() => collector.route(prefix), 1500);
  // The collector hears of routes without the attribute whatever its role is.
  if (to === 'collector') await tester.expectWell(witness, collector, 'beside it');
  tester.expectAlive(feeder, 'after the route');
  const route = collector.route(prefix);
  return route && `${toHex(route.attributes.get(Type.onlyToCustomer)?.value ?? u8())} ${routeText(route)}`;
}

const ineligible =
  (from: Profile, to: Profile, as: (tester: Tester) => number) =>
  async (tester: Tester): Promise<void> => {
    const out = await sent(tester, from, to, [onlyToCustomer(as(tester))]);
    verify(out === undefined, `the route came out: ${out ?? ''}`);
  };

const comesWith =
  (from: Profile, to: Profile, extra: (tester: Tester) => readonly Bytes[], as: (tester: Tester) => number) =>
  async (tester: Tester): Promise<void> => {
    const out = await sent(tester, from, to, extra(tester));
    verify(out?.startsWith(toHex(u32(as(tester)))) === true, `OTC is not ${as(tester)}: ${out ?? 'no route'}`);
  };

export const rfc9234 = casesOf('9234', [
  ['MUST', 'offered-provider', '4.1', 'the target is provider', 'the capability carries role 0', offers('customer', Role.provider)],
  ['MUST', 'offered-customer', '4.1', 'the target is customer', 'the capability carries role 3', offers('provider', Role.customer)],
  ['MUST', 'offered-peer', '4.1', 'the target is peer', 'the capability carries role 4', offers('lateral', Role.peer)],
  ['MUST', 'pair', '4.2', 'a customer towards a target that is provider', 'the session comes up', async (tester) => {
    await tester.accepted('customer', withRole(Role.customer));
  }],
  ['MUST', 'mismatch', '4.2', 'a provider towards a target that is provider', 'the BGP speaker MUST reject the connection using the Role Mismatch Notification (2/11)', async (tester) => {
    const peer = await tester.openSent('customer', withRole(Role.provider));
    peer.sendOpen();
    await tester.expectNotification(peer, 2, 11);
  }],
  ['MUST', 'two-values', '4.2', 'two roles that differ', 'if multiple BGP Role Capabilities are received and not all of them have the same value, the connection MUST be rejected by Role Mismatch', async (tester) => {
    const peer = await tester.openSent('customer', { extraCapabilities: [Capability.role(Role.customer), Capability.role(Role.peer)] });
    peer.sendOpen();
    await tester.expectNotification(peer, 2, 11);
  }],
  ['SHOULD', 'none', '4.2', 'a neighbour without role', 'if the BGP Role Capability is sent but not received, the speaker SHOULD ignore its absence and proceed', async (tester) => {
    await tester.accepted('customer');
  }],
  ['MUST', 'leak-customer', '5', 'a route with OTC from a customer', 'it is a route leak and MUST be considered ineligible', ineligible('customer', 'collector', () => 64999)],
  ['MUST', 'leak-peer', '5', 'a route with another OTC than its own AS from a peer', 'it is a route leak and MUST be considered ineligible', ineligible('lateral', 'collector', () => 64999)],
  ['MUST', 'from-provider', '5', 'a route without OTC from a provider', 'the OTC Attribute MUST be added with a value equal to the AS number of the remote AS', comesWith('provider', 'collector', () => [], (tester) => tester.target.myAs)],
  ['MUST', 'from-peer', '5', 'a route without OTC from a peer', 'the OTC Attribute MUST be added with a value equal to the AS number of the remote AS', comesWith('lateral', 'collector', () => [], (tester) => tester.target.myAs)],
  ['MUST', 'to-customer', '5', 'a route without OTC to a customer', 'the OTC Attribute MUST be added with a value equal to the AS number of the local AS', comesWith('internal', 'customer', () => [], (tester) => tester.target.as)],
  ['MUST', 'unchanged', '5', 'a route with OTC to a customer', 'once the OTC Attribute has been set, it MUST be preserved unchanged', comesWith('internal', 'customer', () => [onlyToCustomer(64999)], () => 64999)],
  ['MUST', 'not-to-provider', '5', 'a route with OTC to a provider', 'it MUST NOT be propagated to Providers, Peers or RSes', ineligible('internal', 'provider', () => 64999)],
  ['MUST', 'not-to-peer', '5', 'a route with OTC to a peer', 'it MUST NOT be propagated to Providers, Peers or RSes', ineligible('internal', 'lateral', () => 64999)],
  ['MUST', 'length', '5', 'OTC of length 3', 'an UPDATE with a malformed OTC Attribute SHALL be handled by treat-as-withdraw', async (tester) => {
    // The attribute is known to speakers that have roles.
    await tester.established('provider', withRole(Role.provider));
    await expectDisposition(tester, 'withdraw', { change: () => ({ extra: attribute(optionalTransitive, Type.onlyToCustomer, u8(0, 0, 1)) }) });
  }],
]);
