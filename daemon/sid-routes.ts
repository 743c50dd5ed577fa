/** The kernel routes behind the SIDs of one router, whoever declares them: one a SID, and one a computing node that End.DX4 delivers to. */
import type { KernelRoute, RouteTable } from '../dataplane/dataplane.js';
import { sidRoute, type LocalSid } from './sids.js';

/** Better than a route of the unicast RIB to the same address. */
const NODE_ROUTE_METRIC = 1023;

export class SidRoutes {
  private readonly declared = new Map<string, LocalSid>();
  /** SIDs that deliver to an IPv4 node, by its address. */
  private readonly users = new Map<string, Set<string>>();

  constructor(private readonly routes: Pick<RouteTable, 'set' | 'remove'>) {}

  /** Adds a SID, or replaces the one with this address. */
  set(local: LocalSid): void {
    const before = this.declared.get(local.sid);
    this.declared.set(local.sid, local);
    this.routes.set(sidRoute(local));
    const node = nodeOf(local);
    if (node !== undefined) {
      this.users.set(node, (this.users.get(node) ?? new Set<string>()).add(local.sid));
      this.routes.set(nodeRoute(node, local.device));
    }
    if (before && nodeOf(before) !== node) this.release(before);
  }

  /** A SID that was not declared is no error. */
  remove(sid: string): void {
    const before = this.declared.get(sid);
    if (!before) return;
    this.declared.delete(sid);
    this.routes.remove(sidRoute(before).prefix);
    this.release(before);
  }

  private release(local: LocalSid): void {
    const node = nodeOf(local);
    const users = node === undefined ? undefined : this.users.get(node);
    if (node === undefined || !users) return;
    users.delete(local.sid);
    if (users.size > 0) return;
    this.users.delete(node);
    this.routes.remove(`${node}/32`, undefined, NODE_ROUTE_METRIC);
  }
}

const nodeOf = ({ behaviour }: LocalSid): string | undefined => (behaviour.kind === 'End.DX4' ? behaviour.nextHop : undefined);

/**
 * Linux sends what End.DX4 decapsulates by the route to the node, but to the link-layer address of the packet's destination where that route has no gateway: it
 * asks for the service ID by ARP, which any node that owns it answers. With the node as its own gateway the packet gets to that node.
 */
function nodeRoute(address: string, interfaceName: string): KernelRoute {
  return { prefix: `${address}/32`, metric: NODE_ROUTE_METRIC, target: { kind: 'unicast', nextHops: [{ gateway: address, interface: interfaceName, onLink: true }] } };
}
