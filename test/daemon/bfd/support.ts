/** Services of BFD in memory, on one clock that moves only when told to. */
import { ManualClock } from '../../../daemon/clock.js';
import { MemoryLinks, type MemoryTransport } from '../../../daemon/bfd/memory-transport.js';
import { BUILT_IN_PROFILES } from '../../../daemon/bfd/profiles.js';
import { BfdService, type BfdEvent } from '../../../daemon/bfd/service.js';
import type { BfdChange, BfdConfig, BfdHandle, BfdProfile, BfdRequest, BfdSessionView, BfdVerdict } from '../../../daemon/bfd/types.js';
import { randomFrom } from '../bgp/network.js';

export const profile = (options: Partial<BfdProfile> = {}): BfdProfile => ({ ...BUILT_IN_PROFILES.default, ...options });

export const configOf = (profiles: Readonly<Record<string, BfdProfile>> = {}, maxSessions = 16): BfdConfig => ({ profiles: { ...BUILT_IN_PROFILES, ...profiles }, maxSessions });

export class Host {
  readonly events: BfdEvent[] = [];
  readonly verdicts: { readonly verdict: BfdVerdict; readonly change: BfdChange; readonly at: number }[] = [];
  readonly transport: MemoryTransport;
  readonly service: BfdService;

  constructor(
    private readonly net: BfdNetwork,
    readonly address: string,
    config: BfdConfig,
    seed: number,
  ) {
    this.transport = net.links.host(address);
    this.service = new BfdService({ clock: net.clock, transport: this.transport, random: randomFrom(seed), config, report: (event) => this.events.push(event) });
  }

  watch(peer: Host | string, options: Partial<BfdRequest> = {}): BfdHandle {
    const address = typeof peer === 'string' ? peer : peer.address;
    return this.service.register({ client: 'test', peer: address, multihop: false, profile: 'default', ...options }, (verdict, change) =>
      this.verdicts.push({ verdict, change, at: this.net.clock.now() }),
    );
  }

  get session(): BfdSessionView {
    const [view] = this.service.view().sessions;
    if (!view) throw new Error(`${this.address} has no session`);
    return view;
  }

  get told(): BfdVerdict[] {
    return this.verdicts.map(({ verdict }) => verdict);
  }
}

export class BfdNetwork {
  readonly clock = new ManualClock();
  readonly links = new MemoryLinks(this.clock);
  private count = 0;

  host(config: BfdConfig = configOf()): Host {
    this.count++;
    return new Host(this, `fe80::${this.count}`, config, this.count);
  }

  /** Two hosts that watch each other, up. */
  static pair(options: Partial<BfdRequest> = {}, configs: readonly [BfdConfig, BfdConfig] = [configOf(), configOf()]): { net: BfdNetwork; a: Host; b: Host } {
    const net = new BfdNetwork();
    const a = net.host(configs[0]);
    const b = net.host(configs[1]);
    a.watch(b, options);
    b.watch(a, options);
    net.clock.advance(6000);
    return { net, a, b };
  }
}
