/** Helps neighbours that restart gracefully: their adjacencies stay announced while they are away (RFC 3623 section 3, RFC 5187). */
import type { Timer } from '../clock.js';
import type { OspfEnvironment } from './environment.js';
import { formatId } from './ids.js';
import type { Neighbor } from './neighbor.js';
import type { StoredLsa } from './stored-lsa.js';
import type { OspfConfig } from './types.js';
import { LsType } from './wire/types.js';

/** LSAs that describe the topology (RFC 3623 section 3.1: types 1 to 5 and 7; RFC 5187 section 3.1). */
const TOPOLOGY = new Set<number>([LsType.router, LsType.network, LsType.interAreaPrefix, LsType.interAreaRouter, LsType.asExternal, LsType.nssa, LsType.intraAreaPrefix]);

export class GraceHelper {
  private readonly helped = new Map<Neighbor, Timer>();

  constructor(
    private readonly environment: OspfEnvironment,
    private readonly policy: () => OspfConfig['gracefulRestartHelper'],
  ) {}

  isHelping(neighbor: Neighbor): boolean {
    return this.helped.has(neighbor);
  }

  /** A Grace-LSA was installed, or is of MaxAge now. */
  graceChanged(lsa: StoredLsa): void {
    const owner = [...this.environment.interfaces()].find(({ name }) => name === lsa.link);
    const neighbor = owner?.neighbors.get(lsa.header.router);
    if (!neighbor) return;
    if (lsa.isMaxAge) this.end(neighbor, 'it has restarted');
    else this.begin(neighbor, lsa);
  }

  private begin(neighbor: Neighbor, lsa: StoredLsa): void {
    const { enabled, maxGraceSeconds, strictLsaChecking } = this.policy();
    const { body } = lsa;
    const leftSeconds = body.kind === 'grace' ? body.periodSeconds - lsa.ageAt(this.environment.clock.now()) : 0;
    const refusal = !enabled
      ? 'helping is off'
      : body.kind !== 'grace'
        ? 'its Grace-LSA makes no sense'
        : body.periodSeconds > maxGraceSeconds
          ? `its grace period of ${body.periodSeconds} s is longer than ${maxGraceSeconds} s`
          : leftSeconds <= 0
            ? 'its grace period is over'
            : neighbor.state !== 'Full' && !this.isHelping(neighbor)
              ? 'it was not fully adjacent'
              : strictLsaChecking && [...neighbor.retransmissionList()].some(({ header }) => TOPOLOGY.has(header.type))
                ? 'the topology has changed and it has not acknowledged that'
                : undefined;
    if (refusal !== undefined) {
      if (this.isHelping(neighbor)) this.end(neighbor, refusal);
      else this.tell(neighbor, false, refusal);
      return;
    }
    const known = this.helped.get(neighbor);
    known?.cancel();
    this.helped.set(
      neighbor,
      this.environment.clock.setTimeout(() => this.end(neighbor, 'its grace period is over'), leftSeconds * 1000),
    );
    if (!known) this.tell(neighbor, true, `it restarts within ${leftSeconds} s`);
  }

  /** Contents of an LSA changed: a restarting router that would be told of it cannot forward by it (section 3.2). */
  contentsChanged(lsa: StoredLsa, old: StoredLsa | undefined): void {
    if (this.helped.size === 0 || !TOPOLOGY.has(lsa.header.type) || !this.policy().strictLsaChecking) return;
    for (const neighbor of [...this.helped.keys()]) {
      // What the restarting router originates anew is how it comes back; it says the same as before, or the adjacency is up again.
      if (lsa.header.router === neighbor.routerId) continue;
      this.end(neighbor, `the topology changed: ${old ? 'another' : 'a'} LSA of ${formatId(lsa.header.router)}, LS type 0x${lsa.header.type.toString(16)}`);
    }
  }

  /** Section 3.2: routers attached to the link calculate anew what they say of it. */
  end(neighbor: Neighbor, reason: string): void {
    const timer = this.helped.get(neighbor);
    if (!timer) return;
    timer.cancel();
    const isBack = neighbor.state === 'Full';
    // Without help it is lost now; who routes by it hears that first.
    if (!isBack) this.environment.neighborLost(neighbor, reason);
    this.helped.delete(neighbor);
    this.tell(neighbor, false, reason);
    neighbor.watchAgain();
    neighbor.owner.handle('NeighborChange');
    this.environment.topologyChanged();
  }

  private tell(neighbor: Neighbor, helping: boolean, reason: string): void {
    this.environment.event({ kind: 'graceful-restart', interface: neighbor.owner.name, routerId: formatId(neighbor.routerId), helping, reason });
  }
}
