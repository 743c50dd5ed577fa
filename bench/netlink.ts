/**
 * Routes per second through the netlink client and the route table, as a ratio to `ip -6 -batch -` in the same run: 20,000 seg6
 * routes with two segments, added and removed in a network namespace of its own. Needs root. `--json` prints one JSON document.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '../daemon/clock.js';
import { native } from '../dataplane/native/index.js';
import { NetlinkClient } from '../dataplane/netlink/client.js';
import { ROUTE_PROTOCOL } from '../dataplane/netlink/kernel-route.js';
import { LINK_GROUPS, LinkMonitor } from '../dataplane/netlink/links.js';
import { unicastRoute, encodeRoute } from '../dataplane/netlink/route.js';
import { KernelRouteTable, ROUTE_GROUPS } from '../dataplane/netlink/route-table.js';
import { openNetlinkSocket } from '../dataplane/netlink/socket.js';
import { NLM_F_CREATE, NLM_F_EXCL, RTM_NEWROUTE } from '../dataplane/netlink/constants.js';
import { Prefix } from '../dataplane/packet/ip.js';

const COUNT = 20_000;
const ROUNDS = 3;
const NAMESPACE = `cpn-bench-${process.pid}`;
const SEGMENTS = ['fc00:2::1', 'fc00:3::1'];
const GATEWAY = '2001:db8:1::2';
const PREFIXES = Array.from({ length: COUNT }, (_, i) => `2001:db8:${(0x1000 + (i >> 8)).toString(16)}:${(i & 0xff).toString(16)}::/64`);

const ip = (command: string): void => void execFileSync('ip', ['-n', NAMESPACE, ...command.split(' ')], { stdio: ['ignore', 'ignore', 'inherit'] });

async function timed(action: () => Promise<void> | void): Promise<number> {
  const start = performance.now();
  await action();
  return COUNT / ((performance.now() - start) / 1000);
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

/** Kernels allocate a route's per-CPU parts from a pool that a burst can empty (ENOMEM): a refused route is sent again. */
async function throughClient(client: NetlinkClient, interfaceIndex: number): Promise<void> {
  let rest = PREFIXES;
  while (rest.length > 0) {
    const refused: string[] = [];
    let answered = 0;
    const { length } = rest;
    await new Promise<void>((resolve) => {
      for (const prefix of rest) {
        const destination = Prefix.from(prefix);
        const nextHops = [{ interfaceIndex, gateway: GATEWAY, weight: 1, flags: 0, encapsulation: { kind: 'seg6', mode: 'encap', segments: SEGMENTS } as const }];
        const route = unicastRoute({ destination, table: 254, metric: 1024, protocol: ROUTE_PROTOCOL, nextHops });
        client.submit({ type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_EXCL, encode: (writer) => encodeRoute(writer, route), describe: () => prefix }, (error) => {
          if (error) refused.push(prefix);
          if (++answered === length) resolve();
        });
      }
    });
    rest = refused;
  }
}

function throughIproute2(batch: string): void {
  // -force: goes on after a route for which the kernel was short of memory, and then ends with status 1.
  const { status, error } = spawnSync('ip', ['-n', NAMESPACE, '-6', '-force', '-batch', '-'], { input: batch, stdio: ['pipe', 'ignore', 'ignore'] });
  if (error || (status !== 0 && status !== 1)) throw error ?? new Error(`ip ended with status ${status ?? 'unknown'}`);
}

async function main(): Promise<void> {
  execFileSync('ip', ['netns', 'add', NAMESPACE]);
  try {
    ip('link add core0 type veth peer name core1');
    for (const name of ['core0', 'core1']) ip(`link set ${name} addrgenmode none up`);
    ip('-6 addr add 2001:db8:1::1/64 dev core0 nodad');
    const [client, linkEvents, routeEvents] = native.inNetworkNamespace(`/run/netns/${NAMESPACE}`, () => [
      new NetlinkClient(openNetlinkSocket()),
      openNetlinkSocket(LINK_GROUPS),
      openNetlinkSocket(ROUTE_GROUPS),
    ]);
    const links = new LinkMonitor(client, linkEvents, systemClock);
    await links.start();
    const routes = new KernelRouteTable(client, routeEvents, links, systemClock);
    await routes.start();
    const { index } = links.find('core0')!;
    const batch = PREFIXES.map((prefix) => `route add ${prefix} encap seg6 mode encap segs ${SEGMENTS.join(',')} via ${GATEWAY} dev core0 proto 99`).join('\n');
    const rates: Record<'iproute2' | 'client' | 'table', number[]> = { iproute2: [], client: [], table: [] };
    for (let round = 0; round <= ROUNDS; round++) {
      // The first round warms up: the kernel's pool of per-CPU memory grows in it.
      if (round === 1) for (const values of Object.values(rates)) values.length = 0;
      rates.iproute2.push(await timed(() => throughIproute2(batch)));
      ip('-6 route flush proto 99');
      rates.client.push(await timed(() => throughClient(client, index)));
      ip(`-6 route flush proto ${ROUTE_PROTOCOL}`);
      // The notifications of the flush were not read while this process waited; they must not look like news of the next routes.
      await setTimeout(500);
      rates.table.push(
        await timed(async () => {
          for (const prefix of PREFIXES) routes.set({ prefix, target: { kind: 'seg6', segments: SEGMENTS, nextHops: [{ gateway: GATEWAY, interface: 'core0' }] } });
          await routes.settled();
        }),
      );
      const missing = routes.list().filter(({ status }) => !status.installed).length;
      if (missing > 0) throw new Error(`${missing} routes are not installed`);
      for (const prefix of PREFIXES) routes.remove(prefix);
      await routes.settled();
    }
    routes.close();
    links.close();
    client.close();
    const reference = median(rates.iproute2);
    const result = Object.fromEntries(Object.entries(rates).map(([name, values]) => [name, { routesPerSecond: Math.round(median(values)), ratio: Number((median(values) / reference).toFixed(2)) }]));
    if (process.argv.includes('--json')) console.log(JSON.stringify({ routes: COUNT, ...result }));
    else for (const [name, { routesPerSecond, ratio }] of Object.entries(result)) console.log(`${name.padEnd(10)} ${String(routesPerSecond).padStart(8)} routes/s   ${ratio} x ip -6 -batch`);
  } finally {
    execFileSync('ip', ['netns', 'del', NAMESPACE]);
  }
}

await main();
