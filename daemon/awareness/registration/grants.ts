/** Which services nodes were granted: who may offer what, the numbers and SIDs of each, and the SIDs in the kernel for as long as packets may come. */
import { parseIp, Prefix } from '../../../dataplane/packet/ip.js';
import type { Timer } from '../../clock.js';
import { Allocator, type Allocation } from './allocation.js';
import type { GrantedService, NodeRecord } from './node.js';
import { NOTICE_MS, type NodeNotices } from './notices.js';
import type { RegistryConfig, RegistryParts } from './parts.js';
import type { ServiceGrant, ServiceOffer } from './types.js';

/** A SID stays so long after its instance is withdrawn: packets are under way until all entries know. */
const SID_LINGER_MS = 5000;

const NOBODY: ReadonlySet<NodeRecord> = new Set();

export class ServiceGrants {
  /** Nodes that offer a service. */
  private readonly offered = new Map<string, Set<NodeRecord>>();
  /** Instance address -> node. */
  private readonly addresses = new Map<string, string>();
  private readonly lingering = new Map<string, Timer>();
  private readonly allocator: Allocator;
  private prefixes: readonly Prefix[] = [];

  constructor(
    private config: RegistryConfig,
    private readonly parts: Pick<RegistryParts, 'clock' | 'instances' | 'sids' | 'interfaceOf'>,
    private readonly notices: NodeNotices,
  ) {
    this.allocator = new Allocator(config.router, (service, { instance, sid }) => this.config.instances.some((entry) => entry.sid === sid || (entry.service === service && entry.id === instance)));
    this.configure(config);
  }

  configure(config: RegistryConfig): void {
    this.config = config;
    this.prefixes = config.servicePrefixes.map((text) => Prefix.from(text));
  }

  stop(): void {
    for (const timer of this.lingering.values()) timer.cancel();
  }

  /** Services that any node offers. */
  services(): Iterable<string> {
    return this.offered.keys();
  }

  /** Nodes that offer a service. */
  nodesOf(service: string): ReadonlySet<NodeRecord> {
    return this.offered.get(service) ?? NOBODY;
  }

  /** Takes up the numbers of an earlier run, as far as they still fit. */
  restore(record: NodeRecord, saved: readonly (Allocation & { readonly service: string })[]): void {
    for (const allocation of saved) this.allocator.restore(record.id, allocation.service, allocation);
  }

  /** Takes everything away from a node. */
  forget(record: NodeRecord): void {
    for (const granted of [...record.services.values()]) this.drop(record, granted);
    for (const { address } of record.description.services) if (this.addresses.get(address) === record.id) this.addresses.delete(address);
  }

  /** Grants or refuses each service; services that are no longer offered are taken away. */
  grant(record: NodeRecord, offers: readonly ServiceOffer[]): ServiceGrant[] {
    const kept = new Set<string>();
    const grants = offers.map((offer): ServiceGrant => {
      const known = record.services.get(offer.service);
      const error = this.refusalOf(record, offer);
      const interfaceName = record.policy.interface ?? this.parts.interfaceOf(offer.address);
      const allocation = error === undefined ? this.allocator.allocate(record.id, offer.service) : undefined;
      if (!allocation || interfaceName === undefined) {
        const reason = error ?? (interfaceName === undefined ? `${offer.address} is on no link of a node interface` : 'all instance numbers are given out');
        record.counters.refused++;
        this.notices.notice(record, 'node.service-refused', 'warning', `service ${offer.service} is refused: ${reason}`, NOTICE_MS);
        return { service: offer.service, instance: 0, sid: '', error: reason };
      }
      kept.add(offer.service);
      if (known && known.sid !== allocation.sid) this.withdraw(record, known);
      record.services.set(offer.service, { offer, ...allocation, interface: interfaceName, load: known?.load, serviceDelay: known?.serviceDelay });
      this.addresses.set(offer.address, record.id);
      const others = this.offered.get(offer.service) ?? new Set();
      this.offered.set(offer.service, others.add(record));
      this.lingering.get(allocation.sid)?.cancel();
      this.lingering.delete(allocation.sid);
      this.parts.sids.set({ ...allocation, service: offer.service, node: record.id, address: offer.address, interface: interfaceName });
      return { service: offer.service, ...allocation, error: '' };
    });
    for (const granted of [...record.services.values()]) if (!kept.has(granted.offer.service)) this.drop(record, granted);
    const used = new Set([...record.services.values()].map(({ offer }) => offer.address));
    for (const [address, owner] of this.addresses) if (owner === record.id && !used.has(address)) this.addresses.delete(address);
    return grants;
  }

  /** Why a node may not offer this. */
  private refusalOf(record: NodeRecord, { service, address }: ServiceOffer): string | undefined {
    const bytes = parseIp(service)!;
    const inside = (prefixes: readonly string[], octets: Uint8Array): boolean => prefixes.some((text) => Prefix.from(text).contains(octets));
    if (!this.prefixes.some((prefix) => prefix.contains(bytes))) return `${service} is in no service prefix of this router`;
    if (!inside(record.policy.services, bytes)) return `node ${record.id} may not announce ${service}`;
    const at = parseIp(address)!;
    if (at.length !== bytes.length) return `the instance address ${address} is of another IP version than ${service}: no SID delivers packets of one to the other`;
    if (this.prefixes.some((prefix) => prefix.contains(at))) return `the instance address ${address} is inside a service prefix`;
    if (record.policy.addresses.length > 0 && !inside(record.policy.addresses, at)) return `node ${record.id} may not use the address ${address}`;
    if (address === this.config.router.loopback) return `${address} is the router's own address`;
    const owner = this.addresses.get(address);
    if (owner !== undefined && owner !== record.id) return `${address} is the address of node ${owner}`;
    return undefined;
  }

  /** Withdraws a service now; its SID goes when no packet can be under way any more. */
  private withdraw(record: NodeRecord, { offer, instance, sid }: GrantedService): void {
    this.parts.instances.remove(offer.service, instance);
    this.offered.get(offer.service)?.delete(record);
    if (this.offered.get(offer.service)?.size === 0) this.offered.delete(offer.service);
    this.lingering.get(sid)?.cancel();
    this.lingering.set(
      sid,
      this.parts.clock.setTimeout(() => {
        this.lingering.delete(sid);
        this.parts.sids.remove(sid);
      }, SID_LINGER_MS),
    );
  }

  private drop(record: NodeRecord, granted: GrantedService): void {
    record.services.delete(granted.offer.service);
    this.allocator.release(record.id, granted.offer.service);
    this.withdraw(record, granted);
  }
}
