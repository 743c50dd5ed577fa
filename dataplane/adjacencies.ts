/** Which adjacencies failed, and what a protected route forwards by then (RFC 5286, RFC 9855): the same rules for the kernel and for the fake. */
import type { NextHop, RouteBackup, RouteTarget } from './dataplane.js';

export type ProtectedTarget = Extract<RouteTarget, { kind: 'unicast' }> & { readonly backups: readonly RouteBackup[] };

/** Whether failures switch this route: it has a backup, or next hops that survive each other. */
export const isProtected = (target: RouteTarget): target is ProtectedTarget =>
  target.kind === 'unicast' && target.backups !== undefined && target.nextHops.length > 0 && target.backups.length + target.nextHops.length > 1;

/** What packets of a protected route take: next hops, or one backup. */
export type Forwarding = { readonly nextHops: readonly NextHop[]; readonly backup?: undefined } | { readonly backup: RouteBackup };

export class Adjacencies {
  private readonly failed = new Set<string>();

  private static key(interfaceName: string, gateway: string | undefined): string {
    return gateway === undefined ? interfaceName : `${interfaceName} ${gateway}`;
  }

  /** False when it had failed already. */
  fail(interfaceName: string, gateway?: string): boolean {
    const { size } = this.failed;
    this.failed.add(Adjacencies.key(interfaceName, gateway));
    return this.failed.size > size;
  }

  /** False when it had not failed. */
  restore(interfaceName: string, gateway?: string): boolean {
    return this.failed.delete(Adjacencies.key(interfaceName, gateway));
  }

  hasFailed({ interface: name, gateway }: NextHop): boolean {
    return this.failed.has(name) || (gateway !== undefined && this.failed.has(`${name} ${gateway}`));
  }

  /**
   * The next hops that survive, else the first backup that protects what failed and survives itself, else the next hops as they are. `isDown`: the link
   * carries nothing.
   */
  forwarding(target: ProtectedTarget, isDown: (interfaceName: string) => boolean = () => false): Forwarding {
    const survives = (hop: NextHop): boolean => !this.hasFailed(hop) && !isDown(hop.interface);
    const nextHops = target.nextHops.filter(survives);
    if (nextHops.length > 0) return { nextHops };
    const protects = (backup: RouteBackup): boolean => target.nextHops.some((hop) => backup.protects.includes(hop.interface));
    const backup = target.backups.find((candidate) => survives(candidate.nextHop) && protects(candidate));
    return backup ? { backup } : { nextHops: target.nextHops };
  }
}
