/** The SIDs of one router: which there are, out of its configuration, and the kernel routes that run them (RFC 8986 section 4). */
import { TUN_NAME, type AggregateSid, type KernelRoute, type LocalBehaviour } from '../dataplane/dataplane.js';
import { formatIp, Prefix } from '../dataplane/packet/ip.js';
import type { Config } from './config/types.js';
import { SIDES, type Side } from './hierarchy/sides.js';

export interface LocalSid {
  readonly sid: string;
  /** `aggregate`: what the BPF program does not send on goes to the daemon. */
  readonly behaviour: LocalBehaviour | { readonly kind: 'aggregate' };
  /** Device the kernel route hangs on. */
  readonly device: string;
  /** What it is for, in a few words. */
  readonly purpose: string;
}

/** Function part of the End SID; End.X SIDs count up from `END_X_FUNCTION` in the order of interface names. */
export const END_FUNCTION = 0x0001;
export const END_X_FUNCTION = 0x0100;
/** Function part of the End.DT6 SID, behind which packets are looked up in the main table. */
const END_DT6_FUNCTION = 0x0002;
/** Function parts of the aggregate SIDs of a border. */
const AGGREGATE_FUNCTION: Readonly<Record<Side, number>> = { outward: 0x0003, inward: 0x0004 };
/** RT_TABLE_MAIN. */
const MAIN_TABLE = 254;

/**
 * Builds a SID: locator, then the function in the bits behind it, argument zero (RFC 8986 section 3.1).
 * Throws RangeError when the function does not fit: the configuration is checked before.
 */
export function makeSid(locator: Prefix, functionBits: number, functionCode: number): string {
  if (functionCode < 0 || functionCode >= 2 ** functionBits) throw new RangeError(`function ${functionCode} does not fit ${functionBits} bits`);
  const bytes = Uint8Array.from(locator.bytes);
  for (let bit = 0; bit < functionBits; bit++) {
    if (Math.floor(functionCode / 2 ** (functionBits - 1 - bit)) % 2 === 1) {
      const at = locator.length + bit;
      bytes[at >> 3]! |= 0x80 >> (at & 7);
    }
  }
  return formatIp(bytes);
}

/** All SIDs of the router: one End, an End.DT6 where others know it, an End.X an adjacency that names its next hop, an End.DX6 or, for an IPv4 service, End.DX4 an instance. */
export function localSids(config: Config): LocalSid[] {
  const locator = Prefix.from(config.router.locator);
  const functionBits = config.router.sidStructure.function;
  const sids: LocalSid[] = [{ sid: makeSid(locator, functionBits, END_FUNCTION), behaviour: { kind: 'End' }, device: TUN_NAME, purpose: 'this router' }];
  if (decapsulates(config)) sids.push({ sid: mainTableSid(config.router), behaviour: { kind: 'End.DT6', table: MAIN_TABLE }, device: TUN_NAME, purpose: 'networks of this router' });
  for (const { sid, space } of aggregateSids(config)) sids.push({ sid, behaviour: { kind: 'aggregate' }, device: TUN_NAME, purpose: `${space} aggregates` });
  const adjacencies = Object.entries(config.interfaces).sort(([a], [b]) => (a < b ? -1 : 1));
  let functionCode = END_X_FUNCTION;
  for (const [name, { endX }] of adjacencies) {
    if (endX === undefined) continue;
    sids.push({
      sid: makeSid(locator, functionBits, functionCode++),
      behaviour: { kind: 'End.X', nextHop: endX, interface: name },
      device: name,
      purpose: `adjacency to ${endX} on ${name}`,
    });
  }
  for (const instance of config.cpn.instances) {
    sids.push({
      sid: instance.sid,
      behaviour: { kind: instance.node.address.includes(':') ? 'End.DX6' : 'End.DX4', nextHop: instance.node.address, interface: instance.node.interface },
      device: instance.node.interface,
      purpose: `instance ${instance.service}#${instance.id} at ${instance.node.address}`,
    });
  }
  return sids;
}

/** The SID that networks are announced with; undefined when no neighbor is to learn one (RFC 9252 section 5). */
export function endDt6Sid({ router, bgp }: Pick<Config, 'router' | 'bgp'>): string | undefined {
  return bgp && (bgp.vpn ?? bgp.neighbors.some(({ srv6 }) => srv6)) ? mainTableSid(router) : undefined;
}

/** The End.DT6 SID of the main table: repair lists that lead to this router end in it, so that the packet goes on from here by its own destination (RFC 9855). */
function mainTableSid({ locator, sidStructure }: Config['router']): string {
  return makeSid(Prefix.from(locator), sidStructure.function, END_DT6_FUNCTION);
}

/** Whether this router decapsulates packets for its main table: other routers learn the SID with networks, or end their repair lists in it. */
function decapsulates(config: Config): boolean {
  return endDt6Sid(config) !== undefined || config.ospf !== undefined;
}

/** The aggregate SIDs: of a border one a side, for all services; where nodes register the outward one, by which first packets come for services that do not run. */
export function aggregateSids({ router, hierarchy, registration }: Pick<Config, 'router' | 'hierarchy' | 'registration'>): AggregateSid[] {
  return SIDES.filter((side) => hierarchy?.[side] ?? (side === 'outward' && registration)).map((side) => ({ sid: aggregateSid(router, side), space: side }));
}

/** Behaviour of an aggregate SID (RFC 8986 section 10.2). */
export const OPAQUE = 0xffff;

export function aggregateSid({ locator, sidStructure }: Config['router'], side: Side): string {
  return makeSid(Prefix.from(locator), sidStructure.function, AGGREGATE_FUNCTION[side]);
}

export function sidRoute({ sid, behaviour, device }: LocalSid): KernelRoute {
  const prefix = `${sid}/128`;
  return behaviour.kind === 'aggregate' ? { prefix, target: { kind: 'unicast', nextHops: [{ interface: device }] } } : { prefix, target: { kind: 'seg6local', behaviour, interface: device } };
}
