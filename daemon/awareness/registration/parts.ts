/** What the registry of computing nodes works with: its configuration, and the interfaces behind which streams, kernel and disk are. */
import type { Clock } from '../../clock.js';
import type { Coefficients } from '../../computing/model/chips.js';
import type { LabelledRun } from '../../computing/model/history.js';
import type { Modelled } from '../../computing/model/result.js';
import type { RegistrationConfig } from '../../config/registration.js';
import type { InstanceConfig, RouterConfig } from '../../config/types.js';
import type { EventLog } from '../../events.js';
import type { InstanceFacts, InstanceUpdate } from '../instance.js';
import type { Allocation } from './allocation.js';
import type { Authentication } from './node.js';
import type { NodeDescription } from './types.js';

/** `LocalInstances` fits. */
export interface InstanceSink {
  put(config: InstanceConfig, facts: InstanceFacts): void;
  remove(service: string, id: number): void;
  update(reference: { readonly service: string; readonly id: number }, update: InstanceUpdate): unknown;
}

/** A SID that delivers to a registered node. */
export interface RegisteredSid {
  readonly sid: string;
  readonly service: string;
  readonly instance: number;
  readonly node: string;
  readonly address: string;
  readonly interface: string;
}

export interface SidSink {
  set(sid: RegisteredSid): void;
  remove(sid: string): void;
}

export interface RegistryConfig {
  readonly registration: RegistrationConfig;
  readonly router: Pick<RouterConfig, 'name' | 'loopback' | 'locator' | 'sidStructure'>;
  readonly servicePrefixes: readonly string[];
  /** Instances of the configuration: their numbers, SIDs and services are not for nodes. */
  readonly instances: readonly InstanceConfig[];
  /** Of the pool model, by kind of chip. */
  readonly coefficients?: Coefficients;
}

export interface RegistryParts {
  readonly clock: Clock;
  readonly events: EventLog;
  readonly instances: InstanceSink;
  readonly sids: SidSink;
  /** The node interface whose link an address is on. */
  readonly interfaceOf: (address: string) => string | undefined;
  /** Takes in a run that a node observed; without it runs are not kept. */
  readonly addRun?: (run: LabelledRun) => Modelled<LabelledRun>;
  /** Something that is to outlive a restart changed. */
  readonly onChange: () => void;
}

/** What is kept of a node over a restart of the router. */
export interface SavedNode {
  readonly description: NodeDescription;
  readonly authenticated: Authentication;
  readonly services: readonly (Allocation & { readonly service: string; readonly active: boolean })[];
}
