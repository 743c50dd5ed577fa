/** What computing nodes and their exit router tell each other (proto/cpn/v1/registration.proto) as values; names for codes. */
import type { PoolChip } from '../../computing/model/chips.js';
import type { ServiceDelay } from '../../computing/types.js';
import type { FlatRun } from '../demand/run-view.js';
import type { InstanceUpdate, NamedComputing } from '../instance.js';

/** Chips of one kind and model, as the pool model takes them. */
export type Chip = PoolChip;

export interface StorageVolume {
  readonly name: string;
  readonly ability: string; // block, file, object
  readonly quality: string; // unknown, hdd, ssd, nvme, memory
  readonly total: bigint; // octets
  readonly residual: bigint;
  readonly readRate: bigint; // octets per second, 0: unknown
  readonly writeRate: bigint;
}

export interface NodeInterface {
  readonly name: string;
  readonly capacity: bigint; // bit/s
  readonly available: bigint;
}

/** What a micro-benchmark on the node found. */
export interface MeasuredComputing {
  readonly class: string;
  readonly chip: string;
  readonly operations: bigint; // per second
  /** Distance of the quartiles of what it got, as a share of the median. */
  readonly spread: number;
  readonly unixMs: number; // when
}

export interface ResourceDemand {
  readonly class: string; // logical, parallel, neural
  readonly operations: bigint; // per second
}

/** always: runs as long as the node does. on-demand: runs when somebody asks for it. manual: runs when an operator says so. */
export const SERVICE_MODES = ['always', 'on-demand', 'manual'] as const;
export type ServiceMode = (typeof SERVICE_MODES)[number];

export const SERVICE_STATES = ['inactive', 'activating', 'active', 'deactivating', 'failed'] as const;
export type ServiceState = (typeof SERVICE_STATES)[number];

export interface ServiceOffer {
  readonly service: string;
  readonly address: string;
  readonly mode: ServiceMode;
  readonly active: boolean;
  readonly priority: number;
  readonly demand: readonly ResourceDemand[];
  readonly memory: bigint; // octets
  readonly healthPort: number; // 0: ICMPv6 echo
  readonly queueCapacity: number; // 0: unknown
  readonly serviceDelay: ServiceDelay | undefined;
}

export interface NodeDescription {
  readonly node: string;
  readonly name: string;
  readonly unixMs: number;
  readonly chips: readonly Chip[];
  readonly computing: readonly NamedComputing[];
  readonly memoryTotal: bigint;
  readonly memoryFree: bigint;
  readonly storage: readonly StorageVolume[];
  readonly interfaces: readonly NodeInterface[];
  readonly location: { readonly latitude: number; readonly longitude: number } | undefined;
  readonly energy: { readonly idleMw: number; readonly fullMw: number } | undefined;
  readonly price: { readonly microUnits: bigint; readonly currency: string } | undefined;
  readonly algorithms: readonly number[];
  readonly services: readonly ServiceOffer[];
  readonly measured: readonly MeasuredComputing[];
}

export interface ServiceReport {
  readonly service: string;
  readonly state: ServiceState | undefined;
  readonly reason: string | undefined;
  readonly load: InstanceUpdate['load'];
  readonly serviceDelay: InstanceUpdate['serviceDelay'];
}

/** Lists hold changed entries only; an update without any renews the lease. */
export interface NodeUpdate {
  readonly unixMs: number;
  readonly computing: readonly NamedComputing[];
  readonly memoryFree: bigint | undefined;
  readonly storage: readonly StorageVolume[];
  readonly interfaces: readonly NodeInterface[];
  readonly services: readonly ServiceReport[];
  readonly measured: readonly MeasuredComputing[];
  /** Of its services, ended since the last update. */
  readonly runs?: readonly FlatRun[];
}

export interface ServiceGrant {
  readonly service: string;
  readonly instance: number; // 0: refused
  readonly sid: string;
  readonly error: string;
}

export interface NodeParameters {
  readonly router: string;
  readonly resumed: boolean;
  readonly leaseMs: number;
  readonly updateIntervalMs: number;
  /** Changes beyond this share of the total are to be reported. */
  readonly threshold: number;
  /** What the router wants to hear of: computing, memory, storage, interfaces, load. */
  readonly report: readonly string[];
  readonly activationTimeoutMs: number;
  readonly healthCheck: { readonly intervalMs: number; readonly timeoutMs: number; readonly fall: number; readonly rise: number };
  readonly services: readonly ServiceGrant[];
}

export interface ServiceCommand {
  readonly service: string;
  readonly active: boolean;
  readonly reason: string;
}

/** One of the fields is there. */
export interface NodeMessage {
  readonly register?: NodeDescription | undefined;
  readonly update?: NodeUpdate | undefined;
  readonly logOut?: { readonly reason: string } | undefined;
}

/** One of the fields is there. */
export interface RouterMessage {
  readonly parameters?: NodeParameters | undefined;
  readonly command?: ServiceCommand | undefined;
  readonly limited?: { readonly reason: string } | undefined;
}

export interface RegisteredServiceView {
  readonly service: string;
  readonly instance: number;
  readonly sid: string;
  readonly address: string;
  readonly mode: string;
  readonly state: string;
  readonly reason: string;
  readonly priority: number;
  readonly demand: readonly ResourceDemand[];
  readonly memory: bigint;
}

export interface RegisteredNodeView {
  readonly node: string;
  readonly name: string;
  readonly state: 'attached' | 'lost' | 'restored';
  readonly authenticated: string; // token, certificate, socket
  readonly interface: string;
  readonly registeredMs: number; // ago
  readonly heardMs: number; // ago
  readonly leaseMs: number; // left
  /** Its clock less ours when it last spoke, ms. */
  readonly clockOffsetMs: number;
  readonly chips: readonly Chip[];
  readonly computing: readonly NamedComputing[];
  readonly memoryTotal: bigint;
  readonly memoryFree: bigint;
  readonly storage: readonly StorageVolume[];
  readonly interfaces: readonly NodeInterface[];
  readonly location: NodeDescription['location'];
  readonly services: readonly RegisteredServiceView[];
  readonly measured: readonly MeasuredComputing[];
  readonly counters: Readonly<Record<string, bigint>>;
}
