/**
 * Which of the services that one node offers run (survey section 5.3): a service that is asked for is activated when the node's resources hold
 * it beside those that run; else idle services of lower priority make room first. Pure: events in, commands out, time as an argument.
 *
 *   inactive --asked for--> activating --node says so--> active --displaced, operator--> deactivating --node says so--> inactive
 *                               └── node says failed, or nothing in time ──> failed --asked for, after a pause--> activating
 */
import type { ResourceDemand, ServiceCommand, ServiceMode, ServiceState } from './types.js';

export interface OfferedService {
  readonly service: string;
  readonly mode: ServiceMode;
  readonly priority: number;
  readonly demand: readonly ResourceDemand[];
  readonly memory: bigint;
}

/** What a node has altogether: operations per second by class, and octets of memory. */
export interface NodeCapacity {
  readonly operations: ReadonlyMap<string, bigint>;
  readonly memory: bigint;
}

export interface OrchestrationTimes {
  readonly activationTimeoutMs: number;
  /** Without flows for so long a service may make room. */
  readonly idleMs: number;
}

/** First pause after a failed activation, ms; it doubles up to the last. */
const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = 60_000;

export class ServiceMachine {
  state: ServiceState;
  reason = '';
  /** Somebody asked for it and it does not run yet. */
  wanted = false;
  /** An operator stopped it: demand does not start it. */
  held = false;
  /** ms of the clock: since when it is in this state, and since when it has no flows. */
  since: number;
  idleSince: number;
  private failures = 0;
  private retryAt = 0;

  constructor(
    public offer: OfferedService,
    active: boolean,
    now: number,
  ) {
    this.state = active ? 'active' : 'inactive';
    this.since = now;
    this.idleSince = now;
  }

  get occupies(): boolean {
    return this.state === 'active' || this.state === 'activating' || this.state === 'deactivating';
  }

  enter(state: ServiceState, reason: string, now: number): void {
    if (state === 'active') this.failures = 0;
    if (state === 'failed') {
      this.retryAt = now + Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.failures, 16));
      this.failures++;
    }
    if (state === 'active' || state === 'failed') this.wanted = false;
    if (state !== this.state) {
      this.since = now;
      this.idleSince = now;
    }
    this.state = state;
    this.reason = reason;
  }

  /** Whether demand may start it now. */
  mayRetry(now: number): boolean {
    return this.state !== 'failed' || now >= this.retryAt;
  }
}

export class Orchestration {
  readonly machines = new Map<string, ServiceMachine>();
  capacity: NodeCapacity = { operations: new Map(), memory: 0n };

  constructor(public times: OrchestrationTimes) {}

  /** Takes over what a node offers: what it says of its services counts, not what was known. Returns the commands that follow. */
  offer(services: readonly (OfferedService & { readonly active: boolean })[], capacity: NodeCapacity, now: number): ServiceCommand[] {
    this.capacity = capacity;
    const offered = new Set(services.map(({ service }) => service));
    for (const service of [...this.machines.keys()]) if (!offered.has(service)) this.machines.delete(service);
    for (const { active, ...offer } of services) {
      const known = this.machines.get(offer.service);
      if (!known) this.machines.set(offer.service, new ServiceMachine(offer, active, now));
      else {
        // What was asked for was asked of it as it was offered then.
        if (known.offer.mode !== offer.mode) known.wanted = false;
        known.offer = offer;
        // A failed one keeps its pause; a command that was under way when the node went may never have come.
        const state = active ? 'active' : known.state === 'failed' ? 'failed' : 'inactive';
        if (state !== known.state) known.enter(state, '', now);
      }
    }
    for (const machine of this.machines.values()) if (machine.offer.mode === 'always' && machine.state === 'inactive' && !machine.held) machine.wanted = true;
    return this.plan(now);
  }

  /** The node says how a service is. */
  report(service: string, state: ServiceState, reason: string, now: number): ServiceCommand[] {
    const machine = this.machines.get(service);
    if (!machine || (machine.state === state && machine.reason === reason)) return [];
    // The answer to an older command: what was asked for last is still to come.
    if (machine.state === 'activating' && state === 'inactive' && reason === '') return [];
    if (machine.state === 'deactivating' && state === 'active') return [];
    machine.enter(state, reason, now);
    return this.plan(now);
  }

  /** Whether flows of the service were seen just now. */
  load(service: string, busy: boolean, now: number): void {
    const machine = this.machines.get(service);
    if (machine && busy) machine.idleSince = now;
  }

  /** First packets came for a service that does not run here. */
  demand(service: string, now: number): ServiceCommand[] {
    const machine = this.machines.get(service);
    if (!machine || machine.offer.mode !== 'on-demand' || machine.held || machine.wanted || machine.occupies || !machine.mayRetry(now)) return [];
    machine.wanted = true;
    return this.plan(now);
  }

  /** Whether first packets would get a service that does not run to run, or it is on its way. */
  couldRun(service: string, now: number): boolean {
    const machine = this.machines.get(service);
    if (machine?.offer.mode !== 'on-demand' || machine.held || machine.state === 'deactivating') return false;
    return machine.occupies || machine.wanted || (machine.mayRetry(now) && this.victims(machine, now) !== undefined);
  }

  /** An operator's word. The text says why it cannot be. */
  set(service: string, active: boolean, now: number): { readonly commands: ServiceCommand[]; readonly refusal: string | undefined } {
    const machine = this.machines.get(service);
    if (!machine) return { commands: [], refusal: `the node offers no service ${service}` };
    if (!active) {
      machine.held = true;
      machine.wanted = false;
      if (machine.state !== 'active' && machine.state !== 'activating') return { commands: [], refusal: undefined };
      machine.enter('deactivating', 'an operator asked for it', now);
      return { commands: [{ service, active: false, reason: machine.reason }, ...this.plan(now)], refusal: undefined };
    }
    machine.held = false;
    if (machine.state === 'active' || machine.state === 'activating') return { commands: [], refusal: undefined };
    const lack = this.lack(machine, now);
    if (lack !== undefined) return { commands: [], refusal: lack };
    machine.wanted = true;
    return { commands: this.plan(now), refusal: undefined };
  }

  /** Time passed: activations that take too long fail. */
  tick(now: number): ServiceCommand[] {
    const commands: ServiceCommand[] = [];
    for (const machine of this.machines.values()) {
      if ((machine.state === 'activating' || machine.state === 'deactivating') && now - machine.since > this.times.activationTimeoutMs) {
        if (machine.state === 'activating') commands.push({ service: machine.offer.service, active: false, reason: 'it did not become active in time' });
        machine.enter('failed', `not ${machine.state === 'activating' ? 'active' : 'inactive'} within ${this.times.activationTimeoutMs} ms`, now);
      }
      if (machine.offer.mode === 'always' && machine.state === 'failed' && !machine.held && machine.mayRetry(now)) machine.wanted = true;
    }
    return [...commands, ...this.plan(now)];
  }

  /** Activates what is wanted and fits, the highest priority first; makes room where idle services of lower priority stand in the way. */
  private plan(now: number): ServiceCommand[] {
    const commands: ServiceCommand[] = [];
    const wanted = [...this.machines.values()].filter((machine) => machine.wanted && !machine.occupies).sort((a, b) => b.offer.priority - a.offer.priority);
    for (const machine of wanted) {
      const victims = this.victims(machine, now);
      if (victims === undefined) {
        machine.reason = this.lack(machine, now) ?? '';
        continue;
      }
      if (victims.length === 0 && this.fits(machine, [])) {
        machine.enter('activating', '', now);
        commands.push({ service: machine.offer.service, active: true, reason: 'it is asked for' });
      }
      for (const victim of victims) {
        victim.enter('deactivating', `makes room for ${machine.offer.service}`, now);
        commands.push({ service: victim.offer.service, active: false, reason: victim.reason });
      }
    }
    return commands;
  }

  /** Idle services to stop before `machine` fits, of lowest priority and longest idle first; none: it fits, or room is on its way. Undefined: it does not fit. */
  private victims(machine: ServiceMachine, now: number): ServiceMachine[] | undefined {
    if (this.fits(machine, [])) return [];
    const leaving = [...this.machines.values()].filter(({ state }) => state === 'deactivating');
    if (leaving.length > 0 && this.fits(machine, leaving)) return [];
    const idle = [...this.machines.values()]
      .filter((other) => other.state === 'active' && other.offer.mode !== 'always' && other.offer.priority < machine.offer.priority && now - other.idleSince >= this.times.idleMs)
      .sort((a, b) => a.offer.priority - b.offer.priority || a.idleSince - b.idleSince);
    const victims: ServiceMachine[] = [];
    for (const candidate of idle) {
      victims.push(candidate);
      if (this.fits(machine, [...leaving, ...victims])) return victims;
    }
    return undefined;
  }

  private lack(machine: ServiceMachine, now: number): string | undefined {
    if (this.victims(machine, now) !== undefined) return undefined;
    const running = [...this.machines.values()].filter((other) => other !== machine && other.occupies).map(({ offer }) => `${offer.service} (priority ${offer.priority})`);
    const beside = running.length === 0 ? '' : ` beside ${running.join(', ')}`;
    return `the resources of the node do not hold ${machine.offer.service}${beside}, of which none is idle and of lower priority than ${machine.offer.priority}`;
  }

  /** Whether the node's resources hold `machine` beside what runs, but for those in `without`. */
  private fits(machine: ServiceMachine, without: readonly ServiceMachine[]): boolean {
    const running = [...this.machines.values()].filter((other) => other !== machine && other.occupies && !without.includes(other));
    const all = [machine, ...running];
    if (machine.offer.memory > 0n && all.reduce((sum, { offer }) => sum + offer.memory, 0n) > this.capacity.memory) return false;
    return machine.offer.demand.every(({ class: name, operations }) => {
      if (operations === 0n) return true;
      const used = all.reduce((sum, { offer }) => sum + offer.demand.reduce((own, entry) => (entry.class === name ? own + entry.operations : own), 0n), 0n);
      return used <= (this.capacity.operations.get(name) ?? 0n);
    });
  }
}
