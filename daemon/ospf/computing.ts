/**
 * Computing state in OSPFv3 (proto/WIRE.md section 3): own advertisements out as CPN LSAs, those of other routers in. One LSA a service and
 * router, several where it does not fit, each with the same Service, Origin and sequence. Content of others counts while their router is reachable.
 *
 * MinLSInterval (RFC 2328 section 12.4) holds for an LSA, and an urgent change cannot wait for it: it goes out under other Link State IDs with its
 * higher sequence, which wins at every receiver, and the LSAs that may not change yet are flushed.
 */
import { Prefix } from '../../dataplane/packet/ip.js';
import { cpnBlockSize, cpnInstanceSize, encodeCpnBlock } from '../computing/block.js';
import type { CpnBlock, Instance, Origin } from '../computing/types.js';
import { isUrgentChange } from '../awareness/damping.js';
import type { Advertisement } from '../rib/candidate.js';
import { formatId } from './ids.js';
import { LSA_HEADER_LENGTH, type Lsa, type LsaBody, type LsaKey } from './wire/types.js';

/** Longest CPN LSA, header included, octets. */
const MAX_LSA = 1300;
const MAX_BLOCK = MAX_LSA - LSA_HEADER_LENGTH;

/** Self-originated LSAs of one type with area scope, as the engine takes them. */
export interface LsaOriginator {
  /** Originates, or originates anew when the body differs (paced by MinLSInterval). */
  originate(type: number, id: number, body: Uint8Array): void;
  /** Ages it out of the area; no error where there is none. */
  flush(type: number, id: number): void;
}

export interface CpnLsaOriginator extends LsaOriginator {
  /** Whether MinLSInterval holds another body of this LSA back. */
  isPaced(type: number, id: number): boolean;
}

/** Where advertisements of other routers go: the computing RIB. */
export interface AdvertisementSink {
  advertise(advertisement: Advertisement): void;
  withdraw(source: 'ospf', peer: string, pathId: number, service: string): boolean;
  flush(): void;
}

export interface CpnLsaFault {
  readonly key: LsaKey;
  readonly reason: string;
}

const MAPPED = '::ffff:';

/** The Service TLV has room for IPv6: an IPv4 service ID stands in it as IPv4-mapped address (RFC 4291 section 2.5.5.2). */
const servicePrefix = (service: string): Prefix => Prefix.host(service.includes(':') ? service : `${MAPPED}${service}`);
const serviceAddress = ({ address }: Prefix): string => (address.startsWith(MAPPED) && address.includes('.') ? address.slice(MAPPED.length) : address);

/** Cuts the instances of an advertisement into blocks that fit an LSA each. Throws RangeError for an instance that fits none. */
export function cutBlocks(service: Prefix, { exit, sequence, originatedAt, validityMs, instances }: Advertisement): CpnBlock[] {
  const origin = { exit, sequence, originatedAt, validity: Math.ceil(validityMs / 1000) };
  const empty = cpnBlockSize({ service, origin, instances: [] });
  const blocks: CpnBlock[] = [];
  let current: Instance[] = [];
  let size = empty;
  for (const instance of instances) {
    const more = cpnInstanceSize(instance);
    if (empty + more > MAX_BLOCK) throw new RangeError(`instance ${instance.id} of ${service.address} takes ${more} octets: more than a CPN LSA has room for`);
    if (size + more > MAX_BLOCK) {
      blocks.push({ service, origin, instances: current });
      current = [];
      size = empty;
    }
    current.push(instance);
    size += more;
  }
  blocks.push({ service, origin, instances: current });
  return blocks;
}

interface OwnService {
  /** Link State IDs in use. */
  readonly ids: readonly number[];
  /** As announced last. */
  readonly instances: ReadonlyMap<number, Instance>;
}

const NOT_ANNOUNCED: OwnService = { ids: [], instances: new Map() };

/** Announces own advertisements. */
export class CpnOrigination {
  private readonly services = new Map<string, OwnService>();
  /** Link State IDs that were in use. */
  private readonly free = new Set<number>();
  private next = 1;

  constructor(
    private readonly lsType: number,
    private readonly originator: CpnLsaOriginator,
    /** An advertisement that cannot be announced, and why. */
    private readonly refused: (service: string, reason: string) => void,
  ) {}

  /** One of each service; without instances it is withdrawn. */
  announce(advertisements: readonly Advertisement[]): void {
    for (const advertisement of advertisements) this.announceOne(advertisement);
  }

  private announceOne(advertisement: Advertisement): void {
    const { service, instances } = advertisement;
    let bodies: Uint8Array[] = [];
    try {
      if (instances.length > 0) bodies = cutBlocks(servicePrefix(service), advertisement).map(encodeCpnBlock);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.refused(service, error.message);
    }
    const held = this.services.get(service) ?? NOT_ANNOUNCED;
    const ids = this.cannotWait(held, instances) ? [] : held.ids.slice(0, bodies.length);
    while (ids.length < bodies.length) ids.push(this.freeId());
    bodies.forEach((body, index) => this.originator.originate(this.lsType, ids[index]!, body));
    for (const id of held.ids) {
      if (ids.includes(id)) continue;
      this.originator.flush(this.lsType, id);
      this.free.add(id);
    }
    if (ids.length > 0) this.services.set(service, { ids, instances: new Map(instances.map((instance) => [instance.id, instance])) });
    else this.services.delete(service);
  }

  private cannotWait({ ids, instances: announced }: OwnService, instances: readonly Instance[]): boolean {
    return isUrgentChange(announced, instances) && ids.some((id) => this.originator.isPaced(this.lsType, id));
  }

  /** One that may be originated now: what comes is not to wait for what went. */
  private freeId(): number {
    for (const id of this.free) {
      if (this.originator.isPaced(this.lsType, id)) continue;
      this.free.delete(id);
      return id;
    }
    return this.next++;
  }
}

interface HeldLsa {
  readonly router: number;
  readonly advertisement: Advertisement;
}

const keyText = ({ id, router }: LsaKey): string => `${router} ${id}`;

/** Takes the CPN LSAs of other routers into the computing RIB. */
export class CpnReception {
  private readonly held = new Map<string, HeldLsa>();
  private readonly keysOf = new Map<number, Set<string>>();

  constructor(
    private readonly ownRouter: number,
    private readonly sink: AdvertisementSink,
    private readonly isReachable: (router: number) => boolean,
    /** One call for each LSA whose content does not count. */
    private readonly fault: (fault: CpnLsaFault) => void,
  ) {}

  /** CPN LSAs that came, changed or went (`lsa` undefined). */
  lsasChanged(changes: readonly { readonly key: LsaKey; readonly lsa: Lsa | undefined }[]): void {
    for (const { key, lsa } of changes) {
      if (key.router === this.ownRouter) continue;
      const advertisement = lsa && this.advertisementOf(key, lsa);
      const text = keyText(key);
      const before = this.held.get(text);
      if (before && before.advertisement.service !== advertisement?.service) this.drop(text, before);
      if (!advertisement) continue;
      this.held.set(text, { router: key.router, advertisement });
      const keys = this.keysOf.get(key.router) ?? new Set<string>();
      this.keysOf.set(key.router, keys.add(text));
      if (this.isReachable(key.router)) this.sink.advertise(advertisement);
    }
    this.sink.flush();
  }

  reachabilityChanged(changes: readonly { readonly routerId: number; readonly reachable: boolean }[]): void {
    for (const { routerId, reachable } of changes) {
      for (const text of this.keysOf.get(routerId) ?? []) {
        const { advertisement } = this.held.get(text)!;
        if (reachable) this.sink.advertise(advertisement);
        else this.sink.withdraw('ospf', advertisement.peer, advertisement.pathId, advertisement.service);
      }
    }
    this.sink.flush();
  }

  private drop(text: string, { router, advertisement }: HeldLsa): void {
    this.held.delete(text);
    const keys = this.keysOf.get(router);
    keys?.delete(text);
    if (keys?.size === 0) this.keysOf.delete(router);
    this.sink.withdraw('ospf', advertisement.peer, advertisement.pathId, advertisement.service);
  }

  private advertisementOf(key: LsaKey, { body }: Lsa): Advertisement | undefined {
    const content = contentOf(body);
    for (const reason of content.faults) this.fault({ key, reason });
    if (!content.block) return undefined;
    const { service, origin, instances } = content.block;
    return {
      service: serviceAddress(service),
      exit: origin.exit,
      source: 'ospf',
      peer: formatId(key.router),
      pathId: key.id,
      sequence: origin.sequence,
      originatedAt: origin.originatedAt,
      validityMs: origin.validity * 1000,
      instances,
      stale: false,
    };
  }
}

/** The block of a CPN LSA where it makes candidates, and what is wrong with it; a foreign block is neither. */
function contentOf(body: LsaBody): { readonly block?: CpnBlock & { readonly service: Prefix; readonly origin: Origin }; readonly faults: readonly string[] } {
  if (body.kind === 'malformed') return { faults: [body.reason] };
  if (body.kind !== 'cpn' || body.block.kind === 'foreign') return { faults: [] };
  if (body.block.kind === 'framingFault') return { faults: [`${body.block.reason} at octet ${body.block.offset}`] };
  const { block, events } = body.block;
  const faults = events.map(({ reason }) => reason);
  const { service, origin, instances } = block;
  if (!service || !origin) return { faults };
  if (service.length !== service.bytes.length * 8) return { faults: [...faults, `${service.toString()} is no single service ID`] };
  return { block: { service, origin, instances }, faults };
}
