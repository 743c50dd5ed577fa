/** Which granted services run: on demand, by an operator's word, always; those that run stand among the local instances. */
import type { Instance, SidInfo } from '../../computing/types.js';
import type { HealthCheckConfig } from '../../config/types.js';
import { Refusal } from '../../refusal.js';
import type { ServiceGrants } from './grants.js';
import type { GrantedService, NodeRecord } from './node.js';
import type { NodeNotices } from './notices.js';
import type { RegistryParts } from './parts.js';
import type { ServiceCommand } from './types.js';

/** First packets of one service ask for activation once in this time. */
const DEMAND_MS = 200;
/** Services whose last demand is remembered. */
const MOST_DEMANDED = 4096;

export class Activation {
  private readonly demanded = new Map<string, number>();

  constructor(
    private readonly parts: Pick<RegistryParts, 'clock' | 'instances' | 'onChange'>,
    private readonly grants: ServiceGrants,
    private readonly notices: NodeNotices,
    private readonly healthCheck: () => HealthCheckConfig | undefined,
  ) {}

  /** First packets came for a service that has no candidate. */
  demand(service: string): void {
    const offering = this.grants.nodesOf(service);
    if (offering.size === 0) return;
    const now = this.parts.clock.now();
    if (now - (this.demanded.get(service) ?? -Infinity) < DEMAND_MS) return;
    if (this.demanded.size >= MOST_DEMANDED) this.demanded.clear();
    this.demanded.set(service, now);
    const attached = [...offering].filter(({ channel }) => channel);
    // One node is enough; a node where it is on its way will do.
    if (attached.some((record) => ['activating', 'active'].includes(record.orchestration.machines.get(service)?.state ?? ''))) return;
    for (const record of attached) {
      const commands = record.orchestration.demand(service, now);
      if (commands.length === 0) continue;
      this.command(record, commands);
      this.sync(record);
      return;
    }
  }

  /** Whether a node offers to run a service when it is asked for. */
  offersOnDemand(service: string): boolean {
    for (const record of this.grants.nodesOf(service)) if (record.services.get(service)?.offer.mode === 'on-demand') return true;
    return false;
  }

  /** Services on demand that do not run and would be activated by first packets, as they are announced: each by its first node that could run it. */
  dormant(sid: SidInfo): ReadonlyMap<string, Instance> {
    const now = this.parts.clock.now();
    const found = new Map<string, Instance>();
    for (const service of this.grants.services()) {
      for (const record of this.grants.nodesOf(service)) {
        const granted = record.services.get(service);
        if (!record.channel || !granted || !record.orchestration.couldRun(service, now)) continue;
        found.set(service, record.dormantInstance(granted, sid));
        break;
      }
    }
    return found;
  }

  /** An operator runs or stops a service of a node. Throws Refusal when that cannot be. */
  set(record: NodeRecord, service: string, active: boolean): void {
    if (!record.services.has(service)) throw new Refusal('notFound', `node ${record.id} offers no service ${service}`);
    if (!record.channel) throw new Refusal('unavailable', `node ${record.id} is not attached`);
    const { commands, refusal } = record.orchestration.set(service, active, this.parts.clock.now());
    if (refusal !== undefined) throw new Refusal('unavailable', refusal);
    this.command(record, commands);
    this.sync(record);
  }

  /** Tells a node what to run and what to stop. */
  command(record: NodeRecord, commands: readonly ServiceCommand[]): void {
    for (const command of commands) {
      this.notices.notice(record, command.active ? 'service.activate' : 'service.deactivate', 'info', `is asked to ${command.active ? 'activate' : 'deactivate'} ${command.service}: ${command.reason}`, 0);
      record.channel?.send({ command });
    }
  }

  /** Puts active services among the local instances and takes the others out. */
  sync(record: NodeRecord): void {
    for (const granted of record.services.values()) {
      if (record.isActive(granted.offer.service)) {
        this.parts.instances.put(record.instanceConfig(granted, this.healthCheck()), record.facts(granted));
        this.refresh(record, granted);
      } else this.parts.instances.remove(granted.offer.service, granted.instance);
    }
    this.parts.onChange();
  }

  /** Tells what a service is and does now. */
  refresh(record: NodeRecord, granted: GrantedService): void {
    if (!record.isActive(granted.offer.service)) return;
    this.parts.instances.update(
      { service: granted.offer.service, id: granted.instance },
      { computing: record.computingUnder(granted.load?.utilisation), load: granted.load, serviceDelay: granted.serviceDelay, health: undefined },
    );
  }
}
