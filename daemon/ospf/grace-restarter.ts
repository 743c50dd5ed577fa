/**
 * The restarting side of graceful restart (RFC 3623 section 2, RFC 5187): neighbours are asked to keep the adjacencies of an earlier life announced while its
 * LSAs are read back from them; own LSAs other than those of links are neither made nor taken back until all its neighbours are Full again.
 */
import type { Timer } from '../clock.js';
import type { OspfEnvironment } from './environment.js';
import type { OspfInterface } from './interface.js';
import type { OwnLsas } from './origination/own-lsas.js';
import { ALL_SPF_ROUTERS } from './transport.js';
import { formatId } from './ids.js';
import { encodeGraceBody } from './wire/lsa/grace.js';
import { LsType, type NetworkLsa, type RouterLink } from './wire/types.js';

/** Neighbours may be in Loading when they are Full here, and would end the adjacency with their help: they are left time, ms. Longer than MinLSArrival. */
const GOODBYE_MS = 5000;

/** RFC 3623 section 2.1: why. */
export const RestartReason = { unknown: 0, softwareRestart: 1 } as const;

export class GraceRestarter {
  private timer: Timer | undefined;
  private looking: Timer | undefined;
  private goodbye: Timer | undefined;

  constructor(
    private readonly environment: OspfEnvironment,
    private readonly own: OwnLsas,
    private readonly periodSeconds: number,
    /** Own LSAs are made from here on. */
    private readonly ended: (reason: string) => void,
  ) {}

  get isActive(): boolean {
    return this.timer !== undefined;
  }

  begin(): void {
    this.own.hold();
    this.timer = this.environment.clock.setTimeout(() => this.end('the grace period is over'), this.periodSeconds * 1000);
  }

  stop(): void {
    this.timer?.cancel();
    this.looking?.cancel();
    this.goodbye?.cancel();
    this.timer = this.looking = this.goodbye = undefined;
  }

  /** Before each Hello until somebody answers: the first Hello, which names nobody, would end the adjacencies. It is sent without waiting to be asked, as nobody is known yet. */
  beforeHello(owner: OspfInterface): void {
    if (!this.isActive || [...owner.neighbors.values()].some(({ state }) => state === 'Full')) return;
    this.announce(owner, RestartReason.unknown);
    const lsa = this.environment.lsdb.get('link', owner.name, { type: LsType.grace, id: owner.interfaceId, router: this.environment.routerId });
    if (lsa) owner.sender.send({ kind: 'linkStateUpdate', lsas: [lsa], faults: [] }, ALL_SPF_ROUTERS);
  }

  /** A Grace-LSA on one link. */
  announce(owner: OspfInterface, reason: number): void {
    this.own.originate({ type: LsType.grace, id: owner.interfaceId, interface: owner.name }, encodeGraceBody({ periodSeconds: this.periodSeconds, reason }));
  }

  /** Whether the neighbours of a link take this router for its Designated Router still (RFC 3623 section 2.2, step 3). */
  wasDesignated(hello: { readonly designated: number; readonly neighbors: readonly number[] }): boolean {
    const { routerId } = this.environment;
    return this.isActive && hello.designated === routerId && hello.neighbors.includes(routerId);
  }

  /** Neighbours or LSAs changed: the restart may be over (RFC 3623 section 2.2). Looked at when this turn is over. */
  check(): void {
    if (!this.isActive) return;
    this.looking ??= this.environment.clock.setTimeout(() => {
      this.looking = undefined;
      this.look();
    }, 0);
  }

  private look(): void {
    const isAnyFull = [...this.environment.interfaces()].some(({ neighbors }) => [...neighbors.values()].some(({ state }) => state === 'Full'));
    if (!isAnyFull) return;
    const links = this.linksOf(this.environment.routerId);
    if (links.length === 0) {
      this.end('no neighbor has links of an earlier life');
      return;
    }
    const stranger = links.find((link) => !this.isMutual(link));
    if (stranger) this.end(`${formatId(stranger.neighborRouterId)} does not announce the adjacency any more`);
    else if (links.every((link) => this.isBack(link))) this.end('all neighbors are back');
  }

  private end(reason: string): void {
    this.stop();
    this.ended(reason);
    this.goodbye = this.environment.clock.setTimeout(() => this.takeBack(), GOODBYE_MS);
  }

  /** Ends the help of neighbours. */
  private takeBack(): void {
    this.goodbye = undefined;
    for (const owner of this.environment.interfaces()) this.own.flush({ type: LsType.grace, id: owner.interfaceId, interface: owner.name });
  }

  private linksOf(router: number): RouterLink[] {
    return [...this.environment.lsdb.all({ scope: 'area', type: LsType.router, router })].flatMap(({ body, isMaxAge }) => (body.kind === 'router' && !isMaxAge ? body.links : []));
  }

  private networkOf({ neighborRouterId: router, neighborInterfaceId: id }: RouterLink): NetworkLsa | undefined {
    const lsa = this.environment.lsdb.get('area', undefined, { type: LsType.network, id, router });
    return lsa?.isMaxAge === false && lsa.body.kind === 'network' ? lsa.body : undefined;
  }

  /** The other end says the same; of a router that nothing is known of yet nothing can be said. */
  private isMutual(link: RouterLink): boolean {
    const { routerId } = this.environment;
    if (link.type === 2) return this.networkOf(link)?.routers.includes(routerId) ?? true;
    const others = this.linksOf(link.neighborRouterId);
    return others.length === 0 || others.some(({ type, neighborRouterId, neighborInterfaceId }) => type === 1 && neighborRouterId === routerId && neighborInterfaceId === link.interfaceId);
  }

  private isBack(link: RouterLink): boolean {
    const owner = [...this.environment.interfaces()].find(({ interfaceId }) => interfaceId === link.interfaceId);
    const isFull = (router: number): boolean => owner?.neighbors.get(router)?.state === 'Full';
    if (link.type !== 2 || link.neighborRouterId !== this.environment.routerId) return isFull(link.neighborRouterId);
    // As Designated Router: with all that it named.
    return this.networkOf(link)?.routers.every((router) => router === this.environment.routerId || isFull(router)) ?? false;
  }
}
