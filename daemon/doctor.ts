/** What the router itself can say of its health; checks of the host are cpnctl's (cli/host-checks.ts). */
import type { DoctorCheck } from './northbound/facade.js';
import type { RouterParts } from './router-parts.js';
import { localSids, sidRoute } from './sids.js';

/** Share of the pin table in use from which an operator should act. */
const PIN_WARNING = 0.8;
/** How long an adjacency may take to form, ms. */
const STUCK_MS = 30_000;

type Verdict = Omit<DoctorCheck, 'name'>;

const ok = (detail: string): Verdict => ({ status: 'ok', detail, mend: '' });

/** All checks of the router, in the order an operator mends them. */
export function routerChecks(parts: RouterParts): DoctorCheck[] {
  const checks: readonly (readonly [name: string, check: (parts: RouterParts) => Verdict])[] = [
    ['kernel-features', kernelFeatures],
    ['interfaces', interfaces],
    ['service-prefix-routes', servicePrefixRoutes],
    ['kernel-routes', kernelRoutes],
    ['sids', sids],
    ['bgp-sessions', bgpSessions],
    ['ospf-interfaces', ospfInterfaces],
    ['ospf-neighbors', ospfNeighbors],
    ['candidates', candidates],
    ['instances', instances],
    ['pins', pins],
  ];
  return checks.map(([name, check]) => ({ name, ...check(parts) }));
}

function kernelFeatures({ dataplane }: RouterParts): Verdict {
  const { seg6, seg6local, bpf, notes } = dataplane.capabilities();
  const missing = Object.entries({ seg6, seg6local, bpf }).filter(([, present]) => !present).map(([name]) => name);
  if (missing.length > 0) return { status: 'fail', detail: `the kernel lacks ${missing.join(', ')}`, mend: 'use a kernel with CONFIG_IPV6_SEG6_LWTUNNEL and CONFIG_BPF_SYSCALL' };
  if (notes.length > 0) return { status: 'warn', detail: notes.join('; '), mend: 'nothing has to be done where these features are not wanted' };
  return ok('seg6, seg6local and BPF are there');
}

function interfaces({ dataplane, config }: RouterParts): Verdict {
  const links = new Map(dataplane.links().map((link) => [link.name, link]));
  const names = Object.keys(config().interfaces);
  const missing = names.filter((name) => !links.has(name));
  if (missing.length > 0) return { status: 'fail', detail: `not there: ${missing.join(', ')}`, mend: 'create them, or correct `interfaces` in the configuration' };
  const down = names.filter((name) => !links.get(name)!.up);
  if (down.length > 0) return { status: 'warn', detail: `down: ${down.join(', ')}`, mend: 'look at `cpnctl show interfaces` and the cable' };
  return ok(`${names.length} interfaces are up`);
}

function servicePrefixRoutes({ dataplane, config }: RouterParts): Verdict {
  const missing = config().cpn.servicePrefixes.filter((prefix) => dataplane.routes.status(prefix)?.installed !== true);
  if (missing.length === 0) return ok(`${config().cpn.servicePrefixes.length} service prefixes lead to the punt TUN`);
  const errors = missing.map((prefix) => `${prefix}: ${dataplane.routes.status(prefix)?.error ?? 'not declared'}`);
  return { status: 'fail', detail: errors.join('; '), mend: 'remove routes of others to service prefixes; look for cpn0 in `ip link`' };
}

function kernelRoutes({ dataplane }: RouterParts): Verdict {
  const all = dataplane.routes.list();
  const failed = all.filter(({ status }) => !status.installed);
  if (failed.length === 0) return ok(`${all.length} routes acknowledged by the kernel`);
  const some = failed.slice(0, 3).map(({ route, status }) => `${route.prefix}: ${status.error ?? 'not answered yet'}`);
  return { status: 'warn', detail: `${failed.length} of ${all.length} routes are not in the kernel: ${some.join('; ')}`, mend: 'cpnctl show routes names the error of each' };
}

function sids({ dataplane, config }: RouterParts): Verdict {
  const local = localSids(config());
  const missing = local.filter((sid) => dataplane.routes.status(sidRoute(sid).prefix)?.installed !== true);
  if (missing.length === 0) return ok(`${local.length} SIDs programmed`);
  return { status: 'fail', detail: `not programmed: ${missing.map(({ sid }) => sid).join(', ')}`, mend: 'cpnctl show sids names the error of each; interfaces must exist and be up' };
}

function bgpSessions({ bgp }: RouterParts): Verdict {
  if (!bgp) return ok('BGP is not configured');
  const down = bgp.neighbors().filter(({ state }) => state !== 'Established');
  if (down.length === 0) return ok(`${bgp.neighbors().length} sessions established`);
  const reasons = down.map(({ address, state, lastError }) => `${address} ${state}${lastError ? ` (${lastError.text})` : ''}`);
  return { status: 'fail', detail: reasons.join('; '), mend: 'check the route to the neighbor, its AS and whether it expects us' };
}

function ospfInterfaces({ ospf, dataplane }: RouterParts): Verdict {
  if (!ospf) return ok('OSPFv3 is not configured');
  const links = new Map(dataplane.links().map((link) => [link.name, link]));
  const active = ospf.engine.interfaceViews().filter(({ passive, state, name }) => !passive && state !== 'Loopback' && links.get(name)?.up === true);
  const faults = active.flatMap((view) => {
    const { name, linkLocal, state, counters } = view;
    if (linkLocal === undefined) return [{ text: `${name} has no link-local address`, mend: 'set net.ipv6.conf.IF.addr_gen_mode to 0 and net.ipv6.conf.IF.disable_ipv6 to 0, or add an address of fe80::/64' }];
    if (state === 'Down') return [{ text: `${name} has no raw socket (${counters['failed transport'] ?? 0} attempts failed)`, mend: 'give cpnd CAP_NET_RAW; the log says why the socket could not be opened' }];
    return [];
  });
  if (faults.length > 0) return { status: 'fail', detail: faults.map(({ text }) => text).join('; '), mend: [...new Set(faults.map(({ mend }) => mend))].join('; ') };
  const larger = active.filter(({ counters }) => (counters['dropped mtu'] ?? 0) > 0 && (counters['dropped mtu'] ?? 0) >= (counters['received databaseDescription'] ?? 0) / 2);
  if (larger.length > 0) return { status: 'warn', detail: `neighbors with a larger MTU on ${larger.map(({ name, mtu }) => `${name} (${mtu} here)`).join(', ')}`, mend: 'set the same MTU at both ends, or mtuIgnore on the interface' };
  return ok(`${active.length} interfaces run OSPFv3`);
}

function ospfNeighbors({ ospf, config }: RouterParts): Verdict {
  if (!ospf) return ok('OSPFv3 is not configured');
  const neighbors = ospf.engine.neighborViews();
  const interfaces = new Map(ospf.engine.interfaceViews().map((view) => [view.name, view]));
  // On a network two routers of which neither is the designated one, or its backup, stay at 2-Way.
  const stuck = neighbors.filter(({ state, uptimeMs, interface: name }) => state !== 'Full' && uptimeMs >= STUCK_MS && !(state === '2-Way' && interfaces.get(name)?.network === 'broadcast'));
  if (stuck.length > 0) {
    const mends: Readonly<Record<string, string>> = { Init: 'it hears nothing of this router: look at filters and keys', ExStart: 'compare the MTU of both ends', Exchange: 'compare the MTU of both ends', Loading: 'look at loss on the link' };
    const detail = stuck.map(({ routerId, interface: name, state, uptimeMs }) => `${routerId} on ${name} is ${state} for ${Math.round(uptimeMs / 1000)} s`).join('; ');
    return { status: 'fail', detail, mend: [...new Set(stuck.map(({ state }) => mends[state] ?? 'compare the configuration of both ends'))].join('; ') };
  }
  const silent = config().ospf!.interfaces.filter(({ name, passive }) => !passive && interfaces.get(name)?.state !== 'Down' && !neighbors.some((neighbor) => neighbor.interface === name));
  if (silent.length > 0) return { status: 'warn', detail: `no neighbor on ${silent.map(({ name }) => name).join(', ')}`, mend: 'compare area, instance ID, hello and dead interval and keys with the other end: `cpnctl show ospf interfaces` counts what is dropped' };
  const unwatched = ospf.unwatched();
  if (unwatched.length > 0) return { status: 'warn', detail: `BFD is not up with ${unwatched.join(', ')}`, mend: 'switch BFD on at the other end, or off here; cpnctl show bfd says more' };
  return ok(`${neighbors.filter(({ state }) => state === 'Full').length} neighbors are Full`);
}

function candidates({ computingRib, steering }: RouterParts): Verdict {
  const bare = [...steering.serviceStates()].filter(({ members }) => !members.some(({ usable }) => usable)).map(({ service }) => service);
  if (bare.length === 0) return ok(`${computingRib.size} services, each with a usable candidate`);
  return { status: 'warn', detail: `no usable candidate for ${bare.slice(0, 5).join(', ')}${bare.length > 5 ? ` and ${bare.length - 5} more` : ''}`, mend: 'cpnctl explain SERVICE says why' };
}

function instances(parts: RouterParts): Verdict {
  const all = parts.instances.list();
  const down = all.filter(({ local }) => local.health === 'down');
  if (down.length === 0) return ok(`${all.length} local instances, none down`);
  return { status: 'warn', detail: down.map(({ local }) => `${local.key} is down: ${local.reason}`).join('; '), mend: 'check the service on its computing node' };
}

function pins({ steering }: RouterParts): Verdict {
  const { size, fill } = steering.pins;
  if (fill < PIN_WARNING) return ok(`${size} flows pinned`);
  return { status: 'warn', detail: `the table of pins is ${Math.round(fill * 100)} % full`, mend: 'raise dataplane.maxFlows or lower dataplane.flowIdle, then restart' };
}
