/** What the fields of a configuration must hold together (WIRE.md section 5, RFC 8986 section 3.1). */
import { Prefix, parseIp } from '../../dataplane/packet/ip.js';
import { checkVpn } from './check-vpn.js';
import { AGGREGATE_ID, SIDES } from '../hierarchy/sides.js';
import { localSids } from '../sids.js';
import { describeValue, type ConfigPath } from './errors.js';
import { checkModel } from './model.js';
import { checkRegistration } from './registration.js';
import { MIN_FUNCTION_BITS } from './resolve.js';
import type { Config } from './types.js';

export interface Finding {
  readonly path: ConfigPath;
  readonly expected: string;
  readonly found: string;
}

export interface CheckResult {
  readonly errors: readonly Finding[];
  readonly warnings: readonly { readonly path: ConfigPath; readonly text: string }[];
}

export function checkConfig(config: Config): CheckResult {
  const check = new Check(config);
  check.router();
  check.servicePrefixes();
  check.interfaces();
  check.staticRoutes();
  check.bgp();
  check.dynamicNeighbors();
  check.vpn();
  check.services();
  check.instances();
  check.hierarchy();
  check.errors.push(...checkRegistration(config), ...checkModel(config));
  return check;
}

const isLinkLocal = (address: string): boolean => {
  const bytes = parseIp(address)!;
  return bytes.length === 16 && bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
};
const isIpv4 = (text: string): boolean => !text.includes(':');

class Check implements CheckResult {
  readonly errors: Finding[] = [];
  readonly warnings: { path: ConfigPath; text: string }[] = [];
  private readonly prefixes: readonly Prefix[];

  constructor(private readonly config: Config) {
    this.prefixes = config.cpn.servicePrefixes.map((text) => Prefix.from(text));
  }

  private refuse(path: ConfigPath, expected: string, found: unknown): void {
    this.errors.push({ path, expected, found: typeof found === 'string' ? found : describeValue(found) });
  }

  private warn(path: ConfigPath, text: string): void {
    this.warnings.push({ path, text });
  }

  private serviceOf(address: string): Prefix | undefined {
    const bytes = parseIp(address)!;
    return this.prefixes.find((prefix) => prefix.contains(bytes));
  }

  /** Refuses an address that must not lie in a service prefix: such a packet would be punted instead of delivered. */
  private outsideServices(path: ConfigPath, address: string, what: string): void {
    const prefix = this.serviceOf(address);
    if (prefix) this.refuse(path, `${what} outside the service prefixes`, `${address}, which is inside ${prefix.toString()}`);
  }

  /** Refuses a second item with the same identity. */
  private unique<T>(items: readonly T[], identity: (item: T) => string, path: (index: number) => ConfigPath, what: string): void {
    const seen = new Set<string>();
    items.forEach((item, index) => {
      const key = identity(item);
      if (seen.has(key)) this.refuse(path(index), `${what} that no other entry has`, `a second ${key}`);
      seen.add(key);
    });
  }

  router(): void {
    const { locator, sidStructure, sidBlocks, loopback, domainSources } = this.config.router;
    const { block, node, function: functionBits, argument } = sidStructure;
    const prefix = Prefix.from(locator);
    if (block + node !== prefix.length) this.refuse(['router', 'sidStructure'], `block + node to be the locator length ${prefix.length}`, String(block + node));
    if (block + node + functionBits + argument > 128) {
      this.refuse(['router', 'sidStructure'], 'at most 128 bits altogether', String(block + node + functionBits + argument));
    }
    if (functionBits < MIN_FUNCTION_BITS) this.refuse(['router', 'locator'], `room for a function of ${MIN_FUNCTION_BITS} bits at least`, locator);
    if (!sidBlocks.some((text) => Prefix.from(text).contains(prefix))) this.refuse(['router', 'locator'], `a locator inside sidBlocks (${sidBlocks.join(', ')})`, locator);
    if (prefix.contains(parseIp(loopback)!)) this.refuse(['router', 'loopback'], 'an address outside the locator', `${loopback}, which is inside ${locator}`);
    if (!domainSources.some((text) => Prefix.from(text).contains(parseIp(loopback)!))) {
      this.warn(['router', 'domainSources'], `the own loopback ${loopback} is not among the domain sources: routers with the same list will drop our packets`);
    }
  }

  servicePrefixes(): void {
    const { router, interfaces } = this.config;
    this.prefixes.forEach((prefix, index) => {
      const path = ['cpn', 'servicePrefixes', index];
      const against = (other: string, what: string): void => {
        if (prefix.overlaps(Prefix.from(other))) this.refuse(path, `a prefix apart from ${what}`, `${prefix.toString()}, which overlaps ${other}`);
      };
      against(`${router.loopback}/128`, 'the loopback');
      against(router.locator, 'the locator');
      for (const block of router.sidBlocks) if (block !== router.locator) against(block, 'the SID blocks');
      for (const source of router.domainSources) against(source, 'the domain sources (loopbacks of the domain)');
      for (const [name, { addresses }] of Object.entries(interfaces)) for (const address of addresses) against(Prefix.from(address).toString(), `the addresses of ${name}`);
      this.prefixes.slice(0, index).forEach((other) => against(other.toString(), 'the other service prefixes'));
    });
  }

  interfaces(): void {
    for (const [name, { endX, role }] of Object.entries(this.config.interfaces)) {
      if (endX === undefined) continue;
      const path = ['interfaces', name, 'endX'];
      this.outsideServices(path, endX, 'a next hop');
      if (role !== 'core') this.refuse(path, 'an adjacency of an interface with role core', `an interface with role ${role}`);
    }
  }

  staticRoutes(): void {
    const routes = this.config.static;
    this.unique(routes, (route) => `${route.prefix} distance ${route.distance}`, (index) => ['static', index, 'prefix'], 'a prefix and distance');
    routes.forEach((route, index) => {
      const path = ['static', index];
      const prefix = Prefix.from(route.prefix);
      const service = this.prefixes.find((candidate) => candidate.contains(prefix));
      if (service) this.refuse([...path, 'prefix'], 'a prefix outside the service prefixes', `${route.prefix}, which is inside ${service.toString()}`);
      if (route.unreachable === route.nextHops.length > 0) {
        this.refuse(path, 'either next hops (via, interface or nextHops) or unreachable: true', route.unreachable ? 'both' : 'neither');
      }
      for (const { via, interface: name } of route.nextHops) {
        if (via === undefined) {
          if (name === undefined) this.refuse([...path, 'nextHops'], 'a next hop with via or interface', 'neither');
          continue;
        }
        const at = [...path, 'via'];
        this.outsideServices(at, via, 'a next hop');
        // IPv4 over IPv6 next hops is what an IPv6 core needs for the clients of IPv4 services (RFC 8950 section 1).
        if (isIpv4(via) && !isIpv4(route.prefix)) this.refuse(at, `a next hop of the family of ${route.prefix}`, via);
        if (isLinkLocal(via) && name === undefined) this.refuse(at, 'an interface beside a link-local next hop', via);
      }
    });
  }

  bgp(): void {
    const { bgp, router } = this.config;
    if (!bgp) return;
    const speaksIpv4 = this.prefixes.some(({ family }) => family === 4);
    bgp.networks.forEach((network, index) => {
      if (isIpv4(network) && !speaksIpv4) this.warn(['bgp', 'networks', index], `${network} is not announced: BGP speaks IPv4 where cpn.servicePrefixes has an IPv4 prefix`);
      const service = this.prefixes.find((prefix) => prefix.contains(Prefix.from(network)));
      if (service) this.refuse(['bgp', 'networks', index], 'a prefix outside the service prefixes (services are announced by cpn.instances)', `${network}, which is inside ${service.toString()}`);
    });
    this.unique(bgp.neighbors, ({ address }) => address, (index) => ['bgp', 'neighbors', index, 'address'], 'an address');
    bgp.neighbors.forEach((neighbor, index) => {
      const path = ['bgp', 'neighbors', index];
      const internal = neighbor.as === bgp.as;
      this.outsideServices([...path, 'address'], neighbor.address, 'an address');
      this.outsideServices([...path, 'localAddress'], neighbor.localAddress, 'an address');
      if (neighbor.address === router.loopback) this.refuse([...path, 'address'], 'the address of another router', 'the own loopback');
      if (isLinkLocal(neighbor.address)) this.refuse([...path, 'address'], 'a global address', neighbor.address);
      if (isIpv4(neighbor.address) !== isIpv4(neighbor.localAddress)) {
        this.refuse([...path, 'localAddress'], `a local address of the family of ${neighbor.address}`, neighbor.localAddress);
      }
      if (internal && neighbor.role !== undefined) this.refuse([...path, 'role'], 'no role towards the own AS (RFC 9234 section 4)', neighbor.role);
      if (neighbor.strictRole && neighbor.role === undefined) this.refuse([...path, 'strictRole'], 'a role beside it', 'none');
      if (internal && neighbor.cpnAccept.length > 0) this.warn([...path, 'cpnAccept'], 'has no effect towards the own AS: service routes of iBGP peers are all accepted');
      if (!internal && neighbor.cpn && neighbor.cpnAccept.length === 0) this.warn([...path, 'cpn'], 'without cpnAccept no service route of this neighbor is accepted');
      if (!neighbor.cpn && neighbor.cpnAccept.length > 0) this.warn([...path, 'cpnAccept'], 'has no effect without cpn: true');
      if (neighbor.import === 'none' && neighbor.export === 'none') {
        this.warn(path, 'neither imports nor exports unicast routes: RFC 8212 wants import and export set towards another AS');
      }
      if (!internal && (neighbor.routeReflectorClient ?? false)) this.refuse([...path, 'routeReflectorClient'], 'a client of the own AS (RFC 4456 section 6)', `a neighbor of AS ${neighbor.as}`);
      neighbor.cpnAccept.forEach((text, position) => {
        if (!this.prefixes.some((prefix) => prefix.overlaps(Prefix.from(text)))) this.warn([...path, 'cpnAccept', position], `${text} meets none of cpn.servicePrefixes`);
      });
    });
  }

  dynamicNeighbors(): void {
    const ranges = this.config.bgp?.dynamic ?? [];
    this.unique(ranges, ({ prefix }) => prefix, (index) => ['bgp', 'dynamic', index, 'prefix'], 'a range');
    ranges.forEach(({ prefix, templates }, index) => {
      const path = ['bgp', 'dynamic', index];
      const service = this.prefixes.find((candidate) => candidate.overlaps(Prefix.from(prefix)));
      if (service) this.refuse([...path, 'prefix'], 'a range outside the service prefixes', `${prefix}, which meets ${service.toString()}`);
      const [template] = templates;
      if (template?.bfd?.strict === true) this.refuse([...path, 'group'], 'a group without strict BFD: a dynamic neighbor is known only once it connects', template.group ?? '');
      if (template?.password !== undefined) this.refuse([...path, 'group'], 'a group without a password: TCP MD5 keys belong to single addresses', template.group ?? '');
    });
  }

  vpn(): void {
    const { errors, warnings } = checkVpn(this.config);
    this.errors.push(...errors);
    this.warnings.push(...warnings);
  }

  services(): void {
    const { services } = this.config.cpn;
    const blocks = this.config.router.sidBlocks.map((text) => Prefix.from(text));
    this.unique(services, ({ id }) => id, (index) => ['cpn', 'services', index, 'id'], 'a service');
    services.forEach(({ id, via }, index) => {
      const path = ['cpn', 'services', index];
      if (id !== 'default' && !this.serviceOf(id)) this.refuse([...path, 'id'], 'an address inside cpn.servicePrefixes', id);
      for (const [exit, ways] of Object.entries(via)) {
        ways.forEach(({ segments, back }, index) => {
          const at = [...path, 'via', exit, ...(ways.length > 1 ? [index] : [])];
          for (const sids of [segments, back]) {
            const position = sids.findIndex((sid) => !blocks.some((block) => block.contains(parseIp(sid)!)));
            if (position < 0) continue;
            this.refuse([...at, position], `a SID inside router.sidBlocks (${blocks.join(', ')})`, sids[position]!);
            return;
          }
        });
      }
    });
  }

  hierarchy(): void {
    const { hierarchy, bgp, ospf, cpn } = this.config;
    if (!hierarchy) return;
    if (hierarchy.outward && !bgp) this.refuse(['hierarchy', 'outward'], 'a bgp section: the outside is told by BGP', 'none');
    if (hierarchy.inward && !ospf) this.refuse(['hierarchy', 'inward'], 'an ospf section: the inside is told by OSPFv3', 'none');
    for (const side of SIDES) {
      hierarchy[side]?.services.forEach((text, index) => {
        if (!this.prefixes.some((prefix) => prefix.contains(Prefix.from(text)))) this.refuse(['hierarchy', side, 'services', index], 'a prefix inside cpn.servicePrefixes', text);
      });
    }
    cpn.instances.forEach(({ id }, index) => {
      const side = SIDES.find((each) => AGGREGATE_ID[each] === id);
      if (side) this.refuse(['cpn', 'instances', index, 'id'], `a number other than that of the ${side} aggregate`, String(id));
    });
  }

  instances(): void {
    const { router, interfaces, cpn } = this.config;
    const locator = Prefix.from(router.locator);
    const ownSids = new Set(router.sidStructure.function < MIN_FUNCTION_BITS ? [] : localSids({ ...this.config, cpn: { ...cpn, instances: [] } }).map(({ sid }) => sid));
    this.unique(cpn.instances, ({ service, id }) => `instance ${id} of ${service}`, (index) => ['cpn', 'instances', index, 'id'], 'a service and id');
    this.unique(cpn.instances, ({ sid }) => `SID ${sid}`, (index) => ['cpn', 'instances', index, 'sid'], 'a SID');
    cpn.instances.forEach((instance, index) => {
      const path = ['cpn', 'instances', index];
      if (!this.serviceOf(instance.service)) this.refuse([...path, 'service'], 'an address inside cpn.servicePrefixes', instance.service);
      if (!locator.contains(parseIp(instance.sid)!)) this.refuse([...path, 'sid'], `a SID inside the own locator ${router.locator}`, instance.sid);
      else if (instance.sid === locator.address) this.refuse([...path, 'sid'], 'a SID with a function other than 0', instance.sid);
      else if (ownSids.has(instance.sid)) this.refuse([...path, 'sid'], 'a SID other than the End and End.X SIDs of the router', instance.sid);
      this.outsideServices([...path, 'node', 'address'], instance.node.address, 'a node address');
      if (isIpv4(instance.service) !== isIpv4(instance.node.address)) {
        const [version, behaviour] = isIpv4(instance.service) ? ['IPv4', 'End.DX4'] : ['IPv6', 'End.DX6'];
        this.refuse([...path, 'node', 'address'], `an ${version} address, because ${behaviour} delivers packets to ${version} services to no other`, instance.node.address);
      }
      const node = interfaces[instance.node.interface];
      if (node?.role !== 'node') {
        this.refuse([...path, 'node', 'interface'], 'an interface with role node', `${instance.node.interface} with role ${node?.role ?? 'core'}`);
      } else if (node.addresses.length > 0 && !node.addresses.some((text) => Prefix.from(text).contains(parseIp(instance.node.address)!))) {
        this.warn([...path, 'node', 'address'], `${instance.node.address} is on no link of ${instance.node.interface}`);
      }
      this.unique(instance.computing, (item) => `${item.class} ${item.chip}`, (position) => [...path, 'computing', position], 'a class and chip');
      instance.computing.forEach(({ residual, total }, position) => {
        if (residual > total) this.refuse([...path, 'computing', position, 'residual'], `at most the total ${total}`, String(residual));
      });
      const { meanUs, p99Us } = instance.serviceDelay;
      if (p99Us > 0 && p99Us < meanUs) this.refuse([...path, 'serviceDelay', 'p99'], 'at least the mean', `${p99Us} us against a mean of ${meanUs} us`);
      const health = instance.healthCheck;
      if (!health) return;
      this.outsideServices([...path, 'healthCheck', 'address'], health.address, 'an address of the instance');
      if (health.kind !== 'icmp' && health.port === 0) this.refuse([...path, 'healthCheck', 'port'], `a port for a${health.kind === 'http' ? 'n' : ''} ${health.kind} check`, undefined);
      const { damping } = health;
      if (damping && damping.reuse >= damping.suppress) this.refuse([...path, 'healthCheck', 'damping', 'reuse'], `less than suppress (${damping.suppress})`, String(damping.reuse));
    });
  }
}
