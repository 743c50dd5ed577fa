/** The lab's view of a containerlab topology file, with defaults, kinds and groups already merged into each node. */

/** What a direction of a link does to frames beyond carrying them. All zero: nothing. */
export interface Impairment {
  /** One-way delay in milliseconds. */
  readonly delayMs: number;
  /** Uniform variation of the delay, plus or minus, in milliseconds. Frames stay in order. */
  readonly jitterMs: number;
  /** Share of frames dropped at random, 0..100. */
  readonly lossPercent: number;
  /** Serialisation rate in bit/s; 0 is unlimited. */
  readonly rateBps: number;
}

export const noImpairment: Impairment = { delayMs: 0, jitterMs: 0, lossPercent: 0, rateBps: 0 };

export function isImpaired(impairment: Impairment): boolean {
  return impairment.delayMs > 0 || impairment.jitterMs > 0 || impairment.lossPercent > 0 || impairment.rateBps > 0;
}

export interface LinkEndpoint {
  readonly node: string;
  readonly interface: string;
  /** MAC address; made from lab, node and interface name when the file gives none, so that captures of two runs compare. */
  readonly mac: string;
  /** Addresses in prefix notation that the lab assigns. */
  readonly addresses: readonly string[];
}

export interface TopologyLink {
  readonly endpoints: readonly [LinkEndpoint, LinkEndpoint];
  /** Octets of layer 3. */
  readonly mtu: number;
  /** Applies to both directions. */
  readonly impairment: Impairment;
}

export interface Bind {
  /** Absolute path on the host. */
  readonly source: string;
  /** Absolute path in the node. */
  readonly target: string;
  readonly readOnly: boolean;
}

export type NodeKind = 'linux' | 'bridge';

export interface TopologyNode {
  readonly name: string;
  readonly kind: NodeKind;
  readonly image: string;
  /** Arguments of the image's program, as a container's CMD; undefined when the file has none. */
  readonly cmd: string | undefined;
  readonly hostname: string;
  readonly group: string;
  readonly binds: readonly Bind[];
  /** Command lines run in order once all links are there, split into words as containerlab does (no shell). */
  readonly exec: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Seconds to wait before the node's program starts. */
  readonly startupDelay: number;
}

export interface Topology {
  readonly name: string;
  /** Absolute path of the file. */
  readonly file: string;
  readonly nodes: ReadonlyMap<string, TopologyNode>;
  readonly links: readonly TopologyLink[];
  /** Fields that containerlab knows and namespaces have no use for, one sentence each. */
  readonly warnings: readonly string[];
}
