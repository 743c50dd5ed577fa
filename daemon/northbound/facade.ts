/**
 * What the northbound API needs from the router: plain methods with plain values. `router.ts` implements it over the real parts;
 * tests implement it over constants. The field names are those of `proto/cpn/v1` and of `cpnctl --json` ("CLI surface" of
 * ARCHITECTURE.md), so that a value passes from here to the JSON unchanged: `undefined` prints as null, a bigint as a string.
 *
 * A method that cannot answer throws `FacadeError`; anything else that is thrown is reported as an internal error.
 * Lists that may be long are iterables: the server pulls them in batches and lets the event loop run in between.
 */
import type { DemandEstimate } from '../computing/model/demand.js';
import type { Load, ServiceDelay } from '../computing/types.js';
import type { PathState } from '../rib/candidate.js';
import type { RequirementDefaults } from '../config/types.js';
import type { InterfaceRole } from '../../dataplane/dataplane.js';
import type { ComNetGraph } from '../awareness/comnet/graph.js';
import type { InstanceUpdate, NamedComputing } from '../awareness/instance.js';
import type { InstanceRef, InstanceState } from '../awareness/instances.js';
import type { RegisteredNodeView, RegisteredServiceView } from '../awareness/registration/types.js';
import type { RouterEvent } from '../events.js';
import type { BgpPolicyTest, BgpPolicyVerdict, BgpPolicyView } from './policy-views.js';
import type { BfdFacade } from './bfd.js';
import type { OspfFacade } from './ospf.js';
import type { ModelFacade } from './models.js';
import type { TelemetryFacade } from './telemetry.js';

export { Refusal as FacadeError, type RefusalCode as FacadeErrorCode } from '../refusal.js';
export type { InstanceRef, InstanceState, InstanceUpdate, RegisteredNodeView, RegisteredServiceView };

export interface RouterStatus {
  readonly name: string;
  readonly id: string;
  readonly version: string;
  readonly loopback: string;
  readonly locator: string;
  readonly as: number | undefined;
  readonly uptimeMs: number;
  readonly configFile: string;
  readonly dataplane: string; // kernel, fake
  readonly bgpEstablished: number;
  readonly bgpConfigured: number;
  readonly routes: number;
  readonly services: number;
  readonly candidates: number;
  readonly policies: number;
  readonly flows: number;
  /** What the kernel lacks and what follows (`DataplaneCapabilities.notes`). */
  readonly notes: readonly string[];
  /** Counters of the dataplane and the steering, by name. */
  readonly counters: Readonly<Record<string, bigint>>;
}

export interface DoctorCheck {
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** How to mend it; empty when ok. */
  readonly mend: string;
}

export interface InterfaceView {
  readonly name: string;
  readonly index: number;
  readonly role: InterfaceRole;
  readonly up: boolean;
  readonly mtu: number;
  readonly addresses: readonly string[];
}

export interface NextHopView {
  readonly via: string | undefined;
  readonly interface: string | undefined;
  readonly weight: number;
}

export interface RouteBackupView {
  /** Interfaces whose loss it survives. */
  readonly protects: readonly string[];
  readonly via: string | undefined;
  readonly interface: string;
  /** In travel order; empty: a loop-free alternate. */
  readonly segments: readonly string[];
}

export interface RouteView {
  readonly prefix: string;
  readonly source: string; // connected, static, bgp, local, service
  readonly peer: string;
  readonly distance: number;
  readonly metric: number;
  readonly best: boolean;
  readonly nextHops: readonly NextHopView[];
  readonly installed: boolean;
  readonly error: string | undefined;
  readonly backups: readonly RouteBackupView[];
  readonly backupInstalled: boolean;
  /** Packets take a backup now. */
  readonly backupActive: boolean;
}

export interface SidView {
  readonly sid: string;
  readonly behaviour: string; // End, End.X, End.DX6, ...
  readonly interface: string | undefined;
  readonly nextHop: string | undefined;
  readonly table: number | undefined;
  readonly service: string | undefined;
  readonly instance: number | undefined;
  readonly installed: boolean;
  readonly error: string | undefined;
}

/** `ConfigWarning`, `ConfigError` and `ConfigDifference` of `daemon/config` fit these as they are. */
export interface ConfigWarningView {
  readonly file: string;
  readonly line: number; // from 1
  readonly column: number; // from 1
  readonly field: string;
  readonly text: string;
}

export interface ConfigProblemView {
  readonly file: string;
  readonly line: number; // from 1
  readonly column: number; // from 1
  readonly field: string;
  readonly expected: string;
  readonly found: string;
}

export interface ConfigChangeView {
  readonly field: string;
  /** JSON text of the old and the new value; undefined when there is none. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly part: string;
  readonly effect: string; // now, session, restart
}

export interface ConfigAnswer {
  /** False when there are problems; then nothing was or would be taken over. */
  readonly ok: boolean;
  readonly problems: readonly ConfigProblemView[];
  readonly warnings: readonly ConfigWarningView[];
  readonly changes: readonly ConfigChangeView[];
}

export interface BgpSummary {
  readonly as: number;
  readonly routerId: string;
  readonly routes: number;
  readonly paths: number;
  readonly neighbors: readonly BgpNeighborView[];
}

export interface BgpNeighborView {
  readonly address: string;
  readonly as: number;
  readonly localAddress: string;
  readonly description: string;
  readonly routerId: string | undefined;
  readonly state: string; // Idle, Connect, Active, OpenSent, OpenConfirm, Established
  readonly stateMs: number; // time in this state
  readonly cpn: boolean;
  readonly passive: boolean;
  readonly holdTimeMs: number; // negotiated when established, else configured
  readonly capabilities: readonly string[]; // names of the capabilities in use
  readonly addPathReceive: boolean;
  readonly addPathSend: boolean;
  readonly prefixesReceived: number;
  readonly prefixesSent: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly updatesReceived: number;
  readonly updatesSent: number;
  readonly flaps: number;
  /** The group it takes its values from. */
  readonly group: string | undefined;
  /** Nobody configured it: it connected from a range. */
  readonly dynamic: boolean;
  readonly routeReflectorClient: boolean;
  /** any, none, prefixes or the names of policies. */
  readonly importPolicy: string;
  readonly exportPolicy: string;
  readonly lastError: string | undefined;
  readonly role: string | undefined; // of this side, RFC 9234
  readonly shutdown: string | undefined; // shut down by the operator, with these words
  readonly minimumHopLimit: number | undefined; // GTSM, RFC 5082
  readonly bfd: string | undefined; // up, down, adminDown, not up; absent without BFD
  readonly md5: boolean; // TCP MD5 signature, RFC 2385
  readonly endOfRib: readonly string[]; // families whose End-of-RIB has come
  readonly prefixesStale: number; // kept over a restart, not announced again yet
}

export interface BgpPathView {
  readonly peer: string; // address, or "local"
  readonly pathId: number;
  readonly nextHop: string;
  readonly origin: string; // igp, egp, incomplete
  readonly asPath: string;
  readonly localPref: number | undefined;
  readonly med: number | undefined;
  /** Standard ones. */
  readonly communities: readonly string[];
  readonly extendedCommunities: readonly string[];
  readonly largeCommunities: readonly string[];
  /** Kept out by the import rules; the reason says by which one. */
  readonly rejected: boolean;
  readonly originatorId: string | undefined;
  readonly clusterList: readonly string[];
  readonly best: boolean;
  readonly stale: boolean;
  /** Why it is best, or what it lost by; why it is unusable. */
  readonly reason: string;
  /** The CPN attribute, when there is one. */
  readonly cpn: { readonly exit: string; readonly sequence: bigint; readonly instances: readonly number[] } | undefined;
}

export interface BgpRouteView {
  readonly prefix: string;
  readonly paths: readonly BgpPathView[];
}

/** Computing as JSON shows it: class logical, parallel, neural; chip mixed, cpu, gpu, dpu, npu, tpu, fpga, or the number. */
export type ComputingView = NamedComputing;

export interface ServiceView {
  readonly service: string;
  readonly candidates: number;
  readonly feasible: number;
  readonly local: number;
  readonly best: { readonly exit: string; readonly instance: number } | undefined;
  readonly flows: number;
  readonly requirements: string; // one line: the configured defaults
  readonly strategy: string; // what chooses among the feasible candidates; of the adaptive one also its pick and why
}

export interface CandidateView {
  readonly exit: string;
  readonly instance: number;
  readonly sid: string;
  readonly behaviour: string; // End.DX6 ..., opaque, or the number
  /** One for several: its exit chooses among them. */
  readonly aggregate: boolean;
  readonly source: 'local' | 'bgp' | 'ospf' | 'controller';
  readonly peer: string;
  readonly computing: readonly ComputingView[];
  readonly load: Load | undefined;
  /** Predicted service delay at the load known now. */
  readonly serviceDelayUs: number | undefined;
  /** One way, half of the measured round trip. */
  readonly pathDelayUs: number | undefined;
  readonly cost: number;
  readonly feasible: boolean;
  readonly best: boolean;
  readonly weight: number;
  readonly ageMs: number;
  readonly stale: boolean;
  readonly draining: boolean;
  readonly sequence: bigint;
  /** Why it is not feasible; empty when it is. */
  readonly reason: string;
  readonly grade: string | undefined; // super, large, medium, small
  readonly cats: readonly CatsView[];
}

/** A CATS metric with its codes by name. */
export interface CatsView {
  readonly type: string;
  readonly level: number;
  readonly source: string;
  readonly statistic: string;
  readonly unit: string;
  readonly value: bigint;
}

export interface ServiceCandidates {
  readonly service: string;
  readonly candidates: readonly CandidateView[];
}

export interface NodeInstanceView {
  readonly service: string;
  readonly instance: number;
  /** Known of local instances only. */
  readonly address: string | undefined;
  readonly interface: string | undefined;
  readonly health: 'up' | 'down' | 'unchecked' | undefined;
  readonly healthReason: string | undefined;
  readonly draining: boolean;
  readonly announced: boolean;
  readonly grade: string | undefined; // super, large, medium, small
  readonly computing: readonly ComputingView[];
  readonly load: Load | undefined;
  readonly serviceDelay: ServiceDelay | undefined;
}

/** The computing nodes behind one exit, with the way to it. */
export interface ComputingNodeView {
  readonly exit: string;
  readonly local: boolean;
  readonly path: PathState | undefined;
  readonly instances: readonly NodeInstanceView[];
}

/** Whose choice flows are: of this router as entry, or as border, where packets to one of its aggregate SIDs are sent on. */
export interface FlowKind {
  readonly kind: 'entry' | 'border';
  /** Of a border: which aggregate SID. */
  readonly side: 'outward' | 'inward' | undefined;
}

export interface PolicyView extends FlowKind {
  readonly id: number;
  readonly exit: string;
  readonly instance: number;
  /** Travel order: first hop SID ... last. */
  readonly segments: readonly string[];
  readonly weight: number;
  readonly mtu: number;
  /** Flows pinned to it. */
  readonly flows: number;
  readonly installed: boolean;
  readonly error: string | undefined;
}

export interface FibView {
  readonly service: string;
  readonly policies: readonly PolicyView[];
}

export interface FlowView extends FlowKind {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly service: string;
  readonly policy: number;
  readonly exit: string;
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly ageMs: number;
  readonly idleMs: number;
}

export interface FlowFilter {
  readonly service: string | undefined;
  readonly source: string | undefined;
  readonly exit: string | undefined;
  /** 0: no limit. */
  readonly limit: number;
}

export interface ExplainRequest {
  readonly service: string;
  readonly from: string | undefined;
  /** What the first packet's option would ask; what is absent comes from the service's defaults. */
  readonly requirements: RequirementDefaults;
  readonly workload: bigint | undefined; // operations
  readonly dataSize: bigint | undefined; // octets
}

/** The load that a candidate is reckoned with. Utilisation in hundredths of a percent. */
export interface LoadForecastView {
  readonly model: string; // holt, learned, last
  readonly horizonMs: number;
  readonly announced: Load;
  readonly predicted: Load;
  /** Mean distance of the utilisation from what was expected when an announcement came; undefined: only one came. */
  readonly error: number | undefined;
  /** The same, had the value before been taken to hold. */
  readonly lastValueError: number | undefined;
  readonly announcements: number;
}

export interface ExplainCandidate {
  readonly exit: string;
  readonly instance: number;
  readonly feasible: boolean;
  /** Every fact that counted, for or against, in the order it was looked at. */
  readonly reasons: readonly string[];
  readonly pathDelayUs: number | undefined;
  readonly serviceDelayUs: number | undefined;
  /** Predicted end-to-end latency: round trip and processing. */
  readonly latencyUs: number | undefined;
  readonly score: number | undefined;
  readonly weight: number;
  readonly best: boolean;
  /** Undefined: it announced no load. */
  readonly forecast: LoadForecastView | undefined;
  /** Where a demand model answers for the workload or data size that was asked about. */
  readonly demand: DemandEstimate | undefined;
}

export interface ExplainAnswer {
  readonly service: string;
  /** Effective requirements, one line each, with where they come from. */
  readonly requirements: readonly string[];
  readonly candidates: readonly ExplainCandidate[];
  readonly chosen: { readonly exit: string; readonly instance: number; readonly policy: number | undefined; readonly segments: readonly string[] } | undefined;
  /** One sentence: what a first packet would get, and why. */
  readonly verdict: string;
  /** What chooses among the feasible candidates; of the adaptive strategy also its pick and why. */
  readonly strategy: string;
}

/** The weighted graph of computing and network. */
export interface ComNetView extends ComNetGraph {
  /** How delay, jitter and loss are smoothed. */
  readonly smoothing: string;
}

/** What changed: a service address (rib), a neighbor address (bgp); undefined: look at everything. */
export type ChangeListener = (key: string | undefined) => void;

export interface RouterFacade {
  readonly telemetry: TelemetryFacade;
  readonly models: ModelFacade;
  readonly ospf: OspfFacade;
  readonly bfd: BfdFacade;
  status(): RouterStatus;
  doctor(): Promise<readonly DoctorCheck[]>;
  interfaces(): readonly InterfaceView[];
  routes(): Iterable<RouteView>;
  sids(): readonly SidView[];
  /** Compares the text of a configuration file (`file` is its name in messages) with the running one. */
  configDiff(text: string, file: string): ConfigAnswer;
  /** Reads the daemon's own file again and takes it over when it is good. */
  configReload(): Promise<ConfigAnswer>;

  bgpSummary(): BgpSummary;
  bgpNeighbors(address: string | undefined): readonly BgpNeighborView[];
  bgpRoutes(prefix: string | undefined): Iterable<BgpRouteView>;
  /** Hard: the session ends and starts anew (Cease, Administrative Reset); soft: route refresh in and all routes out again. */
  /** `message`: words for the other operator, with a session reset (RFC 9003). */
  clearBgp(address: string, soft: boolean, message: string): void;
  /** Ends a session until it is enabled again. */
  shutdownBgp(address: string, message: string): void;
  enableBgp(address: string): void;

  /** All policies, or one. */
  bgpPolicies(name: string | undefined): readonly BgpPolicyView[];
  /** What a policy would do to a route. */
  testBgpPolicy(request: BgpPolicyTest): BgpPolicyVerdict;
  comnet(): ComNetView;

  services(): readonly ServiceView[];
  computingRib(service: string | undefined): Iterable<ServiceCandidates>;
  computingNodes(): readonly ComputingNodeView[];
  fib(service: string | undefined): Iterable<FibView>;
  /** Reads them a little at a time: other work runs in between. */
  flows(filter: FlowFilter): AsyncIterable<FlowView>;
  explain(request: ExplainRequest): ExplainAnswer;
  /** Draining: no new flows at once; `graceMs` later the instance is withdrawn, and entries move the flows that are left. */
  drain(instance: InstanceRef, draining: boolean, graceMs: number): InstanceState;
  /** Forgets pinned flows; their next packet is a first packet again. Returns how many. */
  clearFlows(filter: FlowFilter): Promise<number>;
  updateInstance(instance: InstanceRef, update: InstanceUpdate): InstanceState;

  registeredNodes(): { readonly nodes: readonly RegisteredNodeView[]; readonly counters: Readonly<Record<string, bigint>> };
  /** Runs or stops a service that a registered node offers. */
  setServiceActive(node: string, service: string, active: boolean): RegisteredServiceView;

  /** Calls `listener` after the computing RIB or a neighbor's state changed; returns the way to stop. */
  onChange(topic: 'rib' | 'bgp', listener: ChangeListener): () => void;
  /** Calls `listener` with each new event of the event log. */
  onEvent(listener: (event: RouterEvent) => void): () => void;
}
