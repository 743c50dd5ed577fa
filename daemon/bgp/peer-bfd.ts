/** BFD beside a BGP session (RFC 5882 section 10.2): whether the neighbor can be reached, and whether a session may begin. */
import { isDeepStrictEqual } from 'node:util';
import type { BfdChange, BfdHandle, BfdRegistrar, BfdRequest, BfdVerdict } from '../bfd/types.js';
import type { BgpNeighborConfig } from '../config/types.js';

export interface PeerBfdHandlers {
  /** The neighbor cannot be reached any more. */
  down(change: BfdChange): void;
  /** `allowsSession` has become true. */
  allowed(): void;
}

export class PeerBfd {
  /** The last verdict; undefined: none yet. */
  verdict: BfdVerdict | undefined;
  private config: BgpNeighborConfig['bfd'];
  private watched: { readonly request: BfdRequest; readonly handle: BfdHandle } | undefined;

  constructor(
    private readonly registrar: BfdRegistrar | undefined,
    private readonly handlers: PeerBfdHandlers,
  ) {}

  /** Watches the neighbor as it is configured, from now on. */
  watch({ address, localAddress, bfd }: BgpNeighborConfig): void {
    const allowedBefore = this.allowsSession;
    this.config = bfd;
    const request = bfd && { client: 'bgp', peer: address, localAddress, multihop: bfd.multihop, profile: bfd.profile };
    if (!isDeepStrictEqual(request, this.watched?.request)) {
      const before = this.watched?.handle;
      this.verdict = undefined;
      const handle = request && this.registrar?.register(request, (verdict, change) => this.heard(request, verdict, change));
      this.watched = request && handle && { request, handle };
      // After the new one: a session that both share goes on.
      before?.unregister();
    }
    this.tellAllowed(allowedBefore);
  }

  /** Asks for nothing any more. */
  stop(): void {
    this.watched?.handle.unregister();
    this.watched = undefined;
    this.verdict = undefined;
  }

  /** A strict neighbor waits for BFD; one that switched BFD off is not waited for (RFC 5882 section 3.2). */
  get allowsSession(): boolean {
    return this.config?.strict !== true || this.verdict === 'up' || this.verdict === 'adminDown';
  }

  /** In a word, for views; undefined without BFD. */
  get state(): string | undefined {
    if (!this.config) return undefined;
    if (!this.allowsSession) return `${this.verdict ?? 'not up'}, waited for`;
    return this.verdict ?? 'not up';
  }

  private heard(request: BfdRequest, verdict: BfdVerdict, change: BfdChange): void {
    if (this.watched?.request !== request) return;
    const allowedBefore = this.allowsSession;
    this.verdict = verdict;
    if (verdict === 'down') this.handlers.down(change);
    else this.tellAllowed(allowedBefore);
  }

  private tellAllowed(before: boolean): void {
    if (!before && this.allowsSession) this.handlers.allowed();
  }
}
