/**
 * The computing model shared by BGP, OSPFv3 and the API: the content of a CPN block (proto/WIRE.md section 1) as values.
 * 64-bit quantities are bigint; codes without a known meaning keep their number.
 */
import type { Prefix } from '../../dataplane/packet/ip.js';

export type ComputingClass = 1 | 2 | 3; // logical (OPS), parallel (FLOPS), neural (FLOPS); survey section 3.1

export interface Origin {
  /** SRv6 loopback of the exit router, canonical text. */
  readonly exit: string;
  readonly sequence: bigint;
  readonly originatedAt: bigint; // Unix ms
  readonly validity: number; // s, 0: as long as the session or LSA
}

export interface SidInfo {
  readonly sid: string; // canonical text
  readonly behaviour: number; // RFC 8986 section 10.2 code point; 0xffff opaque
  readonly structure: { readonly block: number; readonly node: number; readonly function: number; readonly argument: number };
}

export interface Computing {
  readonly class: ComputingClass;
  readonly chip: number;
  readonly total: bigint; // operations per second
  readonly residual: bigint;
}

export interface Load {
  readonly utilisation: number; // 0..10000 hundredths of a percent
  readonly queueLength: number;
  readonly activeFlows: number;
}

export interface ServiceDelay {
  readonly meanUs: number;
  readonly p99Us: number;
  readonly serviceRate: number; // requests per second, 0 unknown
}

export interface Storage {
  readonly ability: 1 | 2 | 3; // block, file, object
  readonly quality: number;
  readonly total: bigint; // octets
  readonly residual: bigint;
  readonly readRate: bigint; // octets per second
  readonly writeRate: bigint;
}

export interface CatsMetric {
  readonly type: number;
  readonly level: number; // 0 raw, 1 per kind, 2 overall; others unknown
  readonly format: number;
  readonly source: number;
  readonly statistic: number;
  readonly unit: number;
  readonly windowMs: number;
  readonly value: bigint;
}

export interface Instance {
  readonly id: number;
  readonly aggregate: boolean;
  readonly draining: boolean;
  readonly sid: SidInfo | undefined;
  readonly computing: readonly Computing[];
  readonly load: Load | undefined;
  readonly serviceDelay: ServiceDelay | undefined;
  readonly storage: readonly Storage[];
  readonly interface: { readonly capacity: bigint; readonly available: bigint } | undefined; // bit/s
  readonly location: { readonly latitude: number; readonly longitude: number } | undefined; // degrees
  readonly energy: { readonly idleMw: number; readonly fullMw: number } | undefined;
  readonly price: { readonly microUnits: bigint; readonly currency: string } | undefined; // per 1e12 operations
  readonly algorithms: readonly number[];
  readonly cats: readonly CatsMetric[];
  readonly grade: 1 | 2 | 3 | 4 | undefined; // super, large, medium, small
  readonly address: string | undefined; // CSCI-ID
}

export interface CpnBlock {
  readonly service: Prefix | undefined; // OSPFv3 only
  readonly origin: Origin | undefined;
  readonly instances: readonly Instance[];
}
