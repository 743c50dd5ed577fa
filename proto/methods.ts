/**
 * The methods of the services in `proto/cpn/v1`, as grpc-js wants them. A test compares this table with the .proto files.
 * Both ends give and get the plain values of `daemon/northbound/facade.ts`: 64-bit numbers are bigint, absent fields undefined.
 */
import type { MethodDefinition } from '@grpc/grpc-js';
import type * as view from '../daemon/northbound/facade.js';
import type { FlatRun } from '../daemon/awareness/demand/run-view.js';
import type { NodeMessage, RegisteredNodeView, RegisteredServiceView, RouterMessage } from '../daemon/awareness/registration/types.js';
import type { BfdSessions } from '../daemon/northbound/bfd.js';
import type * as model from '../daemon/northbound/models.js';
import type * as policy from '../daemon/northbound/policy-views.js';
import type * as ospf from '../daemon/northbound/ospf.js';
import type * as telemetry from '../daemon/northbound/telemetry.js';
import type { RouterEvent } from '../daemon/events.js';
import { cpn } from './gen/cpn.js';
import { toValues } from './values.js';

const { v1 } = cpn;

/** The part of a generated message class that the transport needs. */
interface Codec<T> {
  fromObject(object: Record<string, unknown>): T;
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

export type Method<Q extends object, A extends object> = MethodDefinition<Q, A>;

function method<Q extends object, A extends object, M extends object, N extends object>(
  service: string,
  name: string,
  request: Codec<M>,
  answer: Codec<N>,
  responseStream: boolean,
  requestStream = false,
): Method<Q, A> {
  const serialize =
    <T>(codec: Codec<T>) =>
    (value: object): Buffer => {
      const bytes = codec.encode(codec.fromObject(value as Record<string, unknown>)).finish();
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    };
  return {
    path: `/cpn.v1.${service}/${name}`,
    requestStream,
    responseStream,
    requestSerialize: serialize(request),
    requestDeserialize: (bytes) => toValues(request.decode(bytes)) as Q,
    responseSerialize: serialize(answer),
    responseDeserialize: (bytes) => toValues(answer.decode(bytes)) as A,
  };
}

/** Requests and answers as values; the generated classes are given beside them, since types are gone at run time. */
const unary =
  <Q extends object, A extends object>() =>
  <M extends object, N extends object>(service: string, name: string, request: Codec<M>, answer: Codec<N>): Method<Q, A> =>
    method(service, name, request, answer, false);
const stream =
  <Q extends object, A extends object>() =>
  <M extends object, N extends object>(service: string, name: string, request: Codec<M>, answer: Codec<N>): Method<Q, A> =>
    method(service, name, request, answer, true);

const duplex =
  <Q extends object, A extends object>() =>
  <M extends object, N extends object>(service: string, name: string, request: Codec<M>, answer: Codec<N>): Method<Q, A> =>
    method(service, name, request, answer, true, true);

export type Empty = Readonly<Record<string, never>>;
export interface ServiceRequest {
  readonly service: string | undefined;
}
export type Change = 'snapshot' | 'synced' | 'update' | 'remove';
export interface RibChange {
  readonly change: Change;
  readonly service?: view.ServiceCandidates | undefined;
}
export interface FlowChange {
  readonly change: Change;
  readonly flow?: view.FlowView | undefined;
}
/** An event as it travels: the values of its fields as text. */
export interface EventView extends Omit<RouterEvent, 'fields' | 'number'> {
  readonly number: bigint;
  readonly fields: Readonly<Record<string, string>>;
}
export interface BgpChange {
  readonly change: Change | 'event';
  readonly neighbor?: view.BgpNeighborView | undefined;
  readonly event?: EventView | undefined;
}

export interface OspfChange {
  readonly change: Change | 'event';
  readonly neighbor?: ospf.OspfNeighborEntry | undefined;
  readonly event?: EventView | undefined;
}

export const routerMethods = {
  getStatus: unary<Empty, view.RouterStatus>()('RouterService', 'GetStatus', v1.Empty, v1.RouterStatus),
  runDoctor: unary<Empty, { checks: readonly view.DoctorCheck[] }>()('RouterService', 'RunDoctor', v1.Empty, v1.DoctorReport),
  listInterfaces: unary<Empty, { interfaces: readonly view.InterfaceView[] }>()('RouterService', 'ListInterfaces', v1.Empty, v1.InterfaceList),
  listRoutes: stream<Empty, { routes: readonly view.RouteView[] }>()('RouterService', 'ListRoutes', v1.Empty, v1.RouteList),
  listSids: unary<Empty, { sids: readonly view.SidView[] }>()('RouterService', 'ListSids', v1.Empty, v1.SidList),
  diffConfig: unary<{ text: string; file: string }, view.ConfigAnswer>()('RouterService', 'DiffConfig', v1.ConfigText, v1.ConfigAnswer),
  reloadConfig: unary<Empty, view.ConfigAnswer>()('RouterService', 'ReloadConfig', v1.Empty, v1.ConfigAnswer),
};

export const bgpMethods = {
  getSummary: unary<Empty, view.BgpSummary>()('BgpService', 'GetSummary', v1.Empty, v1.BgpSummary),
  listNeighbors: unary<{ address: string | undefined }, { neighbors: readonly view.BgpNeighborView[] }>()('BgpService', 'ListNeighbors', v1.NeighborRequest, v1.NeighborList),
  listBgpRoutes: stream<{ prefix: string | undefined }, { routes: readonly view.BgpRouteView[] }>()('BgpService', 'ListBgpRoutes', v1.BgpRouteRequest, v1.BgpRouteList),
  clearNeighbor: unary<{ address: string; soft: boolean; message: string }, Empty>()('BgpService', 'ClearNeighbor', v1.ClearNeighborRequest, v1.Empty),
  shutdownNeighbor: unary<{ address: string; message: string }, Empty>()('BgpService', 'ShutdownNeighbor', v1.ShutdownNeighborRequest, v1.Empty),
  enableNeighbor: unary<{ address: string }, Empty>()('BgpService', 'EnableNeighbor', v1.EnableNeighborRequest, v1.Empty),
};

export const bgpPolicyMethods = {
  listBgpPolicies: unary<{ name: string | undefined }, { policies: readonly policy.BgpPolicyView[] }>()('BgpPolicyService', 'ListBgpPolicies', v1.BgpPolicyRequest, v1.BgpPolicyList),
  testBgpPolicy: unary<policy.BgpPolicyTest, policy.BgpPolicyVerdict>()('BgpPolicyService', 'TestBgpPolicy', v1.BgpPolicyTest, v1.BgpPolicyVerdict),
};

export const bfdMethods = {
  listBfdSessions: unary<{ peer: string | undefined }, BfdSessions>()('BfdService', 'ListBfdSessions', v1.BfdSessionRequest, v1.BfdSessionList),
};

export const ospfMethods = {
  getOspf: unary<Empty, ospf.OspfStatusView>()('OspfService', 'GetOspf', v1.Empty, v1.OspfStatus),
  listOspfInterfaces: unary<Empty, { interfaces: readonly ospf.OspfInterfaceEntry[] }>()('OspfService', 'ListOspfInterfaces', v1.Empty, v1.OspfInterfaceList),
  listOspfNeighbors: unary<Empty, { neighbors: readonly ospf.OspfNeighborEntry[] }>()('OspfService', 'ListOspfNeighbors', v1.Empty, v1.OspfNeighborList),
  listOspfLsas: stream<{ type: string | undefined }, { lsas: readonly ospf.OspfLsaEntry[] }>()('OspfService', 'ListOspfLsas', v1.OspfLsaRequest, v1.OspfLsaList),
  listOspfRouters: stream<Empty, { routers: readonly ospf.OspfRouterEntry[] }>()('OspfService', 'ListOspfRouters', v1.Empty, v1.OspfRouterList),
  listOspfRoutes: stream<Empty, { routes: readonly ospf.OspfRouteEntry[] }>()('OspfService', 'ListOspfRoutes', v1.Empty, v1.OspfRouteList),
  watchOspf: stream<Empty, OspfChange>()('OspfService', 'WatchOspf', v1.Empty, v1.OspfChange),
};

export const computingMethods = {
  listServices: unary<Empty, { services: readonly view.ServiceView[] }>()('ComputingService', 'ListServices', v1.Empty, v1.ServiceList),
  listCandidates: stream<ServiceRequest, { services: readonly view.ServiceCandidates[] }>()('ComputingService', 'ListCandidates', v1.ServiceRequest, v1.CandidateList),
  listNodes: unary<Empty, { nodes: readonly view.ComputingNodeView[] }>()('ComputingService', 'ListNodes', v1.Empty, v1.NodeList),
  listPolicies: stream<ServiceRequest, { services: readonly view.FibView[] }>()('ComputingService', 'ListPolicies', v1.ServiceRequest, v1.FibList),
  listFlows: stream<view.FlowFilter, { flows: readonly view.FlowView[] }>()('ComputingService', 'ListFlows', v1.FlowFilter, v1.FlowList),
  clearFlows: unary<view.FlowFilter, { cleared: number }>()('ComputingService', 'ClearFlows', v1.FlowFilter, v1.ClearFlowsAnswer),
  explain: unary<view.ExplainRequest, view.ExplainAnswer>()('ComputingService', 'Explain', v1.ExplainRequest, v1.ExplainAnswer),
  drain: unary<{ instance: view.InstanceRef; draining: boolean; graceMs: number }, view.InstanceState>()('ComputingService', 'Drain', v1.DrainRequest, v1.InstanceState),
  updateInstance: unary<{ instance: view.InstanceRef } & view.InstanceUpdate, view.InstanceState>()('ComputingService', 'UpdateInstance', v1.UpdateInstanceRequest, v1.InstanceState),
};

export const modelMethods = {
  listDemandModels: unary<{ service: string | undefined }, { models: readonly model.DemandModelSummary[] }>()('ModelService', 'ListDemandModels', v1.ModelRequest, v1.DemandModelList),
  predictDemand: unary<model.DemandRequest, model.DemandForecast>()('ModelService', 'PredictDemand', v1.PredictDemandRequest, v1.DemandForecast),
  listTaskRuns: stream<{ service: string | undefined }, { runs: readonly FlatRun[] }>()('ModelService', 'ListTaskRuns', v1.ModelRequest, v1.TaskRunList),
  addTaskRuns: unary<{ runs: readonly FlatRun[] }, model.AddTaskRunsAnswer>()('ModelService', 'AddTaskRuns', v1.TaskRunList, v1.AddTaskRunsAnswer),
};

export const networkMethods = {
  getComNet: unary<Empty, view.ComNetView>()('NetworkService', 'GetComNet', v1.Empty, v1.ComNet),
};

export const watchMethods = {
  watchRib: stream<ServiceRequest, RibChange>()('WatchService', 'WatchRib', v1.ServiceRequest, v1.RibChange),
  watchFlows: stream<{ filter: view.FlowFilter | undefined; intervalMs: number }, FlowChange>()('WatchService', 'WatchFlows', v1.WatchFlowsRequest, v1.FlowChange),
  watchBgp: stream<Empty, BgpChange>()('WatchService', 'WatchBgp', v1.Empty, v1.BgpChange),
};

/** What computing nodes and their exit router say to each other. */
export const registrationMethods = {
  attach: duplex<NodeMessage, RouterMessage>()('RegistrationService', 'Attach', v1.NodeMessage, v1.RouterMessage),
};

export const nodeMethods = {
  listRegisteredNodes: unary<Empty, { nodes: readonly RegisteredNodeView[]; counters: Readonly<Record<string, bigint>> }>()('NodeService', 'ListRegisteredNodes', v1.Empty, v1.RegisteredNodeList),
  setServiceActive: unary<{ node: string; service: string; active: boolean }, RegisteredServiceView>()('NodeService', 'SetServiceActive', v1.SetServiceActiveRequest, v1.RegisteredService),
};

export const telemetryMethods = {
  watchUpdates: stream<telemetry.UpdateFilter, telemetry.BgpUpdateView & { readonly missed: number }>()('TelemetryService', 'WatchUpdates', v1.WatchUpdatesRequest, v1.BgpUpdate),
  dumpTable: unary<{ path: string }, { prefixes: number; paths: number; octets: bigint }>()('TelemetryService', 'DumpTable', v1.DumpTableRequest, v1.TableDump),
  getCollectors: unary<Empty, telemetry.CollectorsView>()('TelemetryService', 'GetCollectors', v1.Empty, v1.Collectors),
};
