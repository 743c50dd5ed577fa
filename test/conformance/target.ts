/** The speaker under test, and the neighbours it has been configured with. */

/**
 * Kinds of neighbours, each a way in which the target treats the tester.
 *  external      eBGP, everything goes in and out            collector     eBGP in another AS, everything goes in and out
 *  internal      iBGP                                        client        iBGP, a route reflection client
 *  noPolicy      eBGP without import and export policy       active        eBGP, the target makes the connection
 *  gtsm          eBGP with GTSM, one hop                     md5           eBGP with TCP MD5 and the given password
 *  customer      eBGP, the target is its provider (RFC 9234) provider      eBGP, the target is its customer
 *  lateral       eBGP, both are peers (RFC 9234)             limited       eBGP, takes at most 5 prefixes
 *  cpn           eBGP, marked as CPN peer                    cpnInternal   iBGP, marked as CPN peer
 *  cpnCollector  eBGP in another AS, marked as CPN peer
 */
export const profiles = ['external', 'collector', 'internal', 'client', 'noPolicy', 'active', 'gtsm', 'md5', 'customer', 'provider', 'lateral', 'limited', 'cpn', 'cpnInternal', 'cpnCollector'] as const;
export type Profile = (typeof profiles)[number];

export interface Target {
  /** As the report calls it. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly as: number;
  /** AS of the tester's external peers. */
  readonly myAs: number;
  /** AS of the collectors. */
  readonly collectorAs: number;
  /** The tester's addresses by kind of neighbour. */
  readonly sources: Readonly<Partial<Record<Profile, readonly string[]>>>;
  /** IPv4 address of the tester that the target reaches directly: NEXT_HOP of IPv4 routes. */
  readonly nextHop4: string | undefined;
  /** IPv4 address of the target, for the next hop checks. */
  readonly address4: string | undefined;
  readonly password: string;
  /** Inside it lie the services of the CPN cases. */
  readonly servicePrefix: string;
}

const asOf: Partial<Record<Profile, keyof Pick<Target, 'as' | 'collectorAs'>>> = { internal: 'as', client: 'as', cpnInternal: 'as', collector: 'collectorAs', cpnCollector: 'collectorAs' };

/** The AS number that the tester has towards a kind of neighbour. */
export const testerAs = (target: Target, profile: Profile): number => target[asOf[profile] ?? 'myAs'];

/** Addresses of one kind, each in one case at a time; the longest unused comes first. */
export class AddressPool {
  private readonly free: string[];
  private readonly waiting: ((address: string) => void)[] = [];

  constructor(addresses: readonly string[]) {
    this.free = [...addresses];
  }

  take(): Promise<string> {
    const address = this.free.shift();
    return address !== undefined ? Promise.resolve(address) : new Promise((resolve) => this.waiting.push(resolve));
  }

  give(address: string): void {
    const next = this.waiting.shift();
    if (next) next(address);
    else this.free.push(address);
  }
}
