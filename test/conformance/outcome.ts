/** What a target makes of a malformed UPDATE, judged by what becomes of a route that it had before (RFC 7606 section 2). */
import type { Peer } from './peer.js';
import type { Profile } from './target.js';
import { routeText, type Tester } from './tester.js';
import { fail, verify } from './verdict.js';
import { asPath, localPref, mpReach, nextHop, origin, Type } from './wire/attributes.js';
import { address, type Bytes, join, nlri, toHex, u8, update } from './wire/build.js';

/**
 *  reset       the session ends by NOTIFICATION               withdraw  the routes of the UPDATE are treated as withdrawn
 *  discard     the attribute goes, the new route is taken     accept    the new route is taken with the attribute
 *  survive     the session goes on, whatever becomes of the routes
 */
export type Disposition = 'reset' | 'withdraw' | 'discard' | 'accept' | 'survive';

/** The parts of the UPDATE under test, for what a case changes. */
export interface Parts {
  readonly origin: Bytes;
  readonly asPath: Bytes;
  /** NEXT_HOP of an IPv4 UPDATE, MP_REACH_NLRI of an IPv6 one. */
  readonly reach: Bytes;
  readonly localPref: Bytes;
  /** Behind all others. */
  readonly extra: Bytes;
}

export interface Fault {
  readonly family?: '1/1' | '2/1';
  readonly from?: Profile;
  /** What the UPDATE has in place of the right parts. */
  change(context: { readonly prefix: string; readonly feeder: Peer; readonly tester: Tester }): Partial<Parts>;
  /** Instead of `change`: the whole UPDATE. */
  readonly whole?: (context: { readonly prefix: string; readonly feeder: Peer; readonly parts: Parts }) => Bytes;
  /** The attribute that must be gone after `discard` and there after `accept`. */
  readonly type?: number;
  /** Its value after `accept`, or after `discard` of a second occurrence. */
  readonly value?: Bytes;
}

/** The new route differs from the old one in its ORIGIN and its path, so that either shows even if the other is at fault. */
function partsOf(tester: Tester, feeder: Peer, prefix: string): Parts {
  const internal = feeder.identity.as === tester.target.as;
  const isV6 = prefix.includes(':');
  const hop = address(tester.nextHopFor(feeder, isV6));
  return {
    origin: origin(1),
    asPath: asPath(internal ? [64950] : [feeder.identity.as, 64950], feeder.asSize),
    reach: isV6 ? mpReach({ afi: 2, safi: 1, nextHop: hop, nlri: nlri(prefix) }) : nextHop(tester.nextHopFor(feeder, false)),
    localPref: internal ? localPref(100) : u8(),
    extra: u8(),
  };
}

function assemble(parts: Parts, prefix: string): Bytes {
  const isV6 = prefix.includes(':');
  // RFC 7606 section 5.1: MP_REACH_NLRI comes first, so that it is found whatever is wrong behind it.
  return isV6
    ? update({ attributes: join(parts.reach, parts.origin, parts.asPath, parts.localPref, parts.extra) })
    : update({ attributes: join(parts.origin, parts.asPath, parts.reach, parts.localPref, parts.extra), reachable: nlri(prefix) });
}

/** Sends the fault against a route that is there and says what came of it. */
export async function expectDisposition(tester: Tester, wanted: Disposition, fault: Fault): Promise<void> {
  const family = fault.family ?? tester.family;
  const collector = await tester.established('collector', { extraCapabilities: [Uint8Array.of(5, 6, 0, 1, 0, 1, 0, 2)] });
  const feeder = await tester.established(fault.from ?? 'external');
  tester.requireFamily(feeder, family);
  const prefix = tester.prefix(family);
  feeder.send(tester.announcement(feeder, [prefix]));
  await tester.arrives(collector, prefix, 'the route before the fault');
  const usual = partsOf(tester, feeder, prefix);
  const parts = { ...usual, ...fault.change({ prefix, feeder, tester }) };
  const sent = fault.whole ? fault.whole({ prefix, feeder, parts: usual }) : assemble(parts, prefix);
  feeder.send(sent);
  const alive = await tester.settled(feeder, collector);
  const got = `sent ${toHex(sent)}; `;
  if (wanted === 'reset') {
    verify(!alive, `${got}the session goes on`);
    verify(feeder.notification !== undefined, `${got}the session ended without NOTIFICATION`);
    verify(feeder.notification.code === 3, `${got}got ${feeder.notification.text}`);
    return;
  }
  verify(alive, `${got}the session ended: ${feeder.notification?.text ?? 'without NOTIFICATION'}`);
  const route = collector.route(prefix);
  if (wanted === 'survive') return;
  if (wanted === 'withdraw') {
    verify(route === undefined, `${got}the route stays: ${route ? routeText(route) : ''}`);
    return;
  }
  if (!route) return fail(`${got}the route was withdrawn`);
  const isNew = toHex(route.attributes.get(Type.origin)?.value ?? u8()) === '01' || toHex(route.attributes.get(Type.asPath)?.value ?? u8()).endsWith('fdb6');
  verify(isNew, `${got}the UPDATE was ignored: ${routeText(route)}`);
  if (fault.type === undefined) return;
  const value = route.attributes.get(fault.type)?.value;
  if (fault.value !== undefined) verify(value !== undefined && toHex(value) === toHex(fault.value), `${got}attribute ${fault.type} came out as ${value ? toHex(value) : 'nothing'}`);
  else if (wanted === 'discard') verify(value === undefined, `${got}attribute ${fault.type} was passed on: ${toHex(value ?? u8())}`);
}

