/**
 * An OSPFv3 router as a process of its own, for tests in network namespaces: one JSON command a line on stdin, one JSON answer a line on stdout.
 * Started with its configuration as JSON in argv. It reads its interfaces until all have a link-local address, and not again.
 */
import { execFileSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { systemClock } from '../../daemon/clock.js';
import { OspfEngine } from '../../daemon/ospf/engine.js';
import type { OspfEvent } from '../../daemon/ospf/events.js';
import { RawTransport } from '../../daemon/ospf/raw-transport.js';
import type { OspfConfig, OspfInterfaceView, OspfNeighborView } from '../../daemon/ospf/types.js';
import { Prefix } from '../../dataplane/packet/ip.js';

export type OspfCommand =
  | { readonly do: 'show' }
  | { readonly do: 'originate'; readonly type: number; readonly id: number; readonly body: string }
  | { readonly do: 'flush'; readonly type: number; readonly id: number }
  | { readonly do: 'externals'; readonly prefixes: readonly string[] }
  | { readonly do: 'stubs'; readonly prefixes: readonly string[] }
  | { readonly do: 'reconfigure'; readonly config: OspfConfig }
  | { readonly do: 'stop'; readonly keepForwarding: boolean };

export interface ShownLsa {
  readonly type: number;
  readonly id: number;
  readonly router: number;
  readonly kind: string;
  /** What an external or inter-area LSA is about. */
  readonly prefix: string | undefined;
  readonly raw: string;
}

export interface OspfShown {
  readonly interfaces: readonly OspfInterfaceView[];
  readonly neighbors: readonly OspfNeighborView[];
  readonly lsas: readonly ShownLsa[];
  readonly events: readonly OspfEvent[];
}

interface AddressJson {
  readonly ifindex: number;
  readonly ifname: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly addr_info: readonly { readonly family: string; readonly local: string; readonly prefixlen: number; readonly scope: string; readonly tentative?: boolean }[];
}

/** Whether every interface of OSPF can be used. */
export function readLinks(engine: OspfEngine): boolean {
  for (const { ifindex: index, ifname: name, mtu, flags, addr_info: all } of JSON.parse(execFileSync('ip', ['-j', 'addr'], { encoding: 'utf8' })) as AddressJson[]) {
    const addresses = all.filter(({ family, tentative }) => family === 'inet6' && tentative !== true);
    const global = addresses.filter(({ scope }) => scope === 'global');
    const prefixes = global.map(({ local, prefixlen }) => Prefix.from(`${local}/${prefixlen}`));
    engine.setLink(name, { name, index, up: flags.includes('UP'), mtu, linkLocal: addresses.find(({ scope }) => scope === 'link')?.local, prefixes, loopback: flags.includes('LOOPBACK') });
  }
  return engine.interfaceViews().every(({ linkLocal }) => linkLocal !== undefined);
}

function main(config: OspfConfig): void {
  const engine = new OspfEngine({ config, clock: systemClock, transport: new RawTransport(), random: Math.random });
  const events: OspfEvent[] = [];
  engine.onEvent((event) => events.push(event));
  engine.start();
  const reading = setInterval(() => {
    if (readLinks(engine)) clearInterval(reading);
  }, 100);
  const show = (): OspfShown => ({
    interfaces: engine.interfaceViews(),
    neighbors: engine.neighborViews(),
    events,
    lsas: [...engine.lsas()].map(({ header: { type, id, router }, body, raw }) => ({
      type,
      id,
      router,
      kind: body.kind,
      prefix: 'prefix' in body ? body.prefix.toString() : undefined,
      raw: Buffer.from(raw).toString('hex'),
    })),
  });
  const run = (command: OspfCommand): unknown => {
    switch (command.do) {
      case 'show':
        return show();
      case 'originate':
        engine.originate(command.type, command.id, Buffer.from(command.body, 'hex'));
        return true;
      case 'flush':
        engine.flush(command.type, command.id);
        return true;
      case 'externals':
        engine.setExternals(command.prefixes.map((text) => ({ prefix: Prefix.from(text), metric: 20, type: 2, tag: 7, forwarding: undefined })));
        return true;
      case 'stubs':
        engine.setStubPrefixes(command.prefixes.map((text) => ({ prefix: Prefix.from(text), options: 0, metric: 0 })));
        return true;
      case 'reconfigure':
        engine.reconfigure(command.config);
        return true;
      case 'stop':
        engine.stop({ keepForwarding: command.keepForwarding });
        return true;
    }
  };
  createInterface({ input: process.stdin })
    .on('line', (line) => process.stdout.write(`${JSON.stringify(run(JSON.parse(line) as OspfCommand))}\n`))
    .on('close', () => process.exit(0));
}

const [, script, argument] = process.argv;
if (script?.endsWith('ospf-driver.js') && argument !== undefined) main(JSON.parse(argument) as OspfConfig);
