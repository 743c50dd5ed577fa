/** Registration of computing nodes as a part of the router: the registry with its server, its file, and the SIDs in the kernel. */
import { readFileSync } from 'node:fs';
import { parseIp, Prefix } from '../dataplane/packet/ip.js';
import type { Dataplane } from '../dataplane/dataplane.js';
import type { AnnouncementSequence } from './awareness/sequence.js';
import { DormantServices } from './awareness/registration/dormant.js';
import { Tokens } from './awareness/registration/credentials.js';
import type { InstanceSink, RegisteredSid, RegistryConfig } from './awareness/registration/parts.js';
import { NodeRegistry } from './awareness/registration/registry.js';
import { StateFile } from './awareness/registration/state-file.js';
import type { Clock, Timer } from './clock.js';
import type { LabelledRun } from './computing/model/history.js';
import type { Modelled } from './computing/model/result.js';
import type { Config } from './config/types.js';
import type { RegistrationConfig } from './config/registration.js';
import type { EventLog } from './events.js';
import { RegistrationServer } from './northbound/registration.js';
import type { Advertisement } from './rib/candidate.js';
import type { SidRoutes } from './sid-routes.js';
import { aggregateSid, OPAQUE, type LocalSid } from './sids.js';

export interface RegistrationParts {
  readonly config: () => Config;
  readonly clock: Clock;
  readonly events: EventLog;
  readonly instances: InstanceSink;
  readonly dataplane: Pick<Dataplane, 'links'>;
  readonly sidRoutes: SidRoutes;
  /** Takes in a run that a node observed. */
  readonly addRun: (run: LabelledRun) => Modelled<LabelledRun>;
  readonly sequence: AnnouncementSequence;
  /** Announces services on demand that do not run. */
  readonly announce: (advertisements: readonly Advertisement[]) => void;
}

/** How often it is looked what could be activated (pauses end, services become idle), ms; and how soon after something changed. */
const DORMANT_MS = 500;
const DORMANT_SOON_MS = 20;

/** The kernel's side of a registered SID. */
export const registeredSid = ({ sid, address, interface: name, service, instance, node }: RegisteredSid): LocalSid => ({
  sid,
  behaviour: { kind: address.includes(':') ? 'End.DX6' : 'End.DX4', nextHop: address, interface: name },
  device: name,
  purpose: `instance ${service}#${instance} of node ${node} at ${address}`,
});

export class Registration {
  readonly registry: NodeRegistry;
  readonly dormant: DormantServices;
  private dormantTimer: Timer | undefined;
  private dormantAt = Infinity;
  private stopped = false;
  readonly sids = new Map<string, RegisteredSid>();
  private readonly file: StateFile;
  private server: RegistrationServer | undefined;
  private tokens: Tokens;

  constructor(
    private readonly parts: RegistrationParts,
    section: RegistrationConfig,
  ) {
    const { clock, events, instances, sidRoutes } = parts;
    this.tokens = readTokens(section);
    this.file = new StateFile(section.stateFile, clock, (text) => events.emit('awareness', 'registration.file', 'warning', text));
    this.registry = new NodeRegistry(registryConfig(parts.config(), section), {
      clock,
      events,
      instances,
      sids: {
        set: (sid) => {
          this.sids.set(sid.sid, sid);
          sidRoutes.set(registeredSid(sid));
        },
        remove: (sid) => {
          this.sids.delete(sid);
          sidRoutes.remove(sid);
        },
      },
      interfaceOf: (address) => this.interfaceOf(address),
      addRun: parts.addRun,
      onChange: () => {
        this.file.schedule(() => this.registry.snapshot());
        this.lookForDormant(DORMANT_SOON_MS);
      },
    });
    this.dormant = new DormantServices({ clock, nextSequence: () => parts.sequence.next(), exit: parts.config().router.loopback, announce: parts.announce });
  }

  private lookForDormant(afterMs: number): void {
    const at = this.parts.clock.now() + afterMs;
    if (this.stopped || this.dormantAt <= at) return;
    this.dormantTimer?.cancel();
    this.dormantAt = at;
    this.dormantTimer = this.parts.clock.setTimeout(() => {
      this.dormantAt = Infinity;
      const { router } = this.parts.config();
      this.dormant.set(this.registry.activation.dormant({ sid: aggregateSid(router, 'outward'), behaviour: OPAQUE, structure: router.sidStructure }));
      this.lookForDormant(DORMANT_MS);
    }, afterMs);
  }

  async start(section: RegistrationConfig): Promise<void> {
    this.registry.start(this.file.read());
    this.server = await RegistrationServer.start({
      config: section,
      registry: this.registry,
      tokens: () => this.tokens,
      clock: this.parts.clock,
      onFault: (error) => this.parts.events.emit('awareness', 'registration.fault', 'error', `registration: ${String(error)}`),
    });
  }

  /** Takes over a configuration; the token file is read again. Throws Error, and changes nothing, when that cannot be. */
  configure(config: Config): void {
    if (!config.registration) return;
    this.tokens = readTokens(config.registration);
    this.registry.configure(registryConfig(config, config.registration));
  }

  /** `keep`: what forwards goes on, and the next run announces it again at once; else it only keeps the numbers. */
  stop(keep: boolean): void {
    const saved = this.registry.snapshot();
    this.stopped = true;
    this.dormantTimer?.cancel();
    this.registry.stop();
    this.server?.close();
    this.file.flush(keep ? saved : saved.map((node) => ({ ...node, services: node.services.map((service) => ({ ...service, active: false })) })));
  }

  private interfaceOf(address: string): string | undefined {
    const bytes = parseIp(address)!;
    const { interfaces } = this.parts.config();
    for (const [name, { role, addresses }] of Object.entries(interfaces)) {
      if (role !== 'node') continue;
      const found = [...addresses, ...(this.parts.dataplane.links().find((link) => link.name === name)?.addresses ?? [])];
      if (found.some((text) => Prefix.from(text).contains(bytes))) return name;
    }
    return undefined;
  }
}

function registryConfig({ router, cpn }: Config, registration: RegistrationConfig): RegistryConfig {
  return { registration, router, servicePrefixes: cpn.servicePrefixes, instances: cpn.instances, coefficients: cpn.model.coefficients };
}

function readTokens({ tokens }: RegistrationConfig): Tokens {
  return tokens === undefined ? Tokens.none : Tokens.parse(readFileSync(tokens, 'utf8'), tokens);
}
