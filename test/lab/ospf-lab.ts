/** Namespaces with our OSPFv3 engine and stock routers in them, for the interoperability tests. */
import type { ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { OspfConfig } from '../../daemon/ospf/types.js';
import { BgpLab, eventually } from './bgp-lab.js';
import type { OspfCommand, OspfShown } from './ospf-driver.js';

/** A program of ours in a namespace that answers JSON commands line by line. */
export class LineDriver<Command> {
  private readonly waiting: ((answer: unknown) => void)[] = [];

  constructor(private readonly process: ChildProcess) {
    createInterface({ input: process.stdout! }).on('line', (line) => this.waiting.shift()?.(JSON.parse(line)));
  }

  run(command: Command): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.waiting.push(resolve);
      this.process.stdin!.write(`${JSON.stringify(command)}\n`, (error) => error && reject(error));
    });
  }
}

/** Our engine in a namespace. */
export class OspfDriver extends LineDriver<OspfCommand> {
  async show(): Promise<OspfShown> {
    return (await this.run({ do: 'show' })) as OspfShown;
  }

  async full(routerId: string, seconds = 20): Promise<void> {
    try {
      await eventually(
        `adjacency with ${routerId}`,
        async () => (await this.show()).neighbors.some((neighbor) => neighbor.routerId === routerId && neighbor.state === 'Full'),
        seconds,
      );
    } catch (error) {
      const { events, neighbors, interfaces } = await this.show();
      console.error(JSON.stringify({ interfaces, neighbors, events: events.slice(-40) }));
      throw error;
    }
  }
}

export class OspfLab extends BgpLab {
  /** A router's namespace, with the address of its loopback. */
  router(name: string, loopback?: string): void {
    this.node(name);
    if (loopback !== undefined) this.exec(name, 'ip', 'addr', 'add', loopback, 'dev', 'lo');
  }

  /** A wire between two routers; its ends are named after the other side, or as said. */
  wire(left: string, right: string, names: { readonly left: string; readonly right: string } = { left: `to-${right}`, right: `to-${left}` }): void {
    this.veth(left, names.left, right, names.right);
  }

  /** A bridge that the routers are on with `lan0`. */
  bridge(name: string, routers: readonly string[]): void {
    this.node(name);
    // A bridge that looks for listeners forwards to none of them before it heard a query.
    this.exec(name, 'ip', 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0');
    this.exec(name, 'ip', 'link', 'set', 'br0', 'up');
    for (const router of routers) {
      this.veth(router, 'lan0', name, `to-${router}`);
      this.exec(name, 'ip', 'link', 'set', `to-${router}`, 'master', 'br0');
    }
  }

  private veth(left: string, leftName: string, right: string, rightName: string): void {
    for (const node of [left, right]) this.exec(node, 'sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0');
    this.exec(left, 'ip', 'link', 'add', leftName, 'type', 'veth', 'peer', 'name', rightName, 'netns', this.namespace(right));
    this.exec(left, 'ip', 'link', 'set', leftName, 'up');
    this.exec(right, 'ip', 'link', 'set', rightName, 'up');
  }

  /** Our engine. */
  engine(node: string, config: OspfConfig): OspfDriver {
    return new OspfDriver(this.script(node, new URL('ospf-driver.js', import.meta.url), config));
  }

  /** A program of ours that is told its configuration as JSON in argv. */
  driver<Command>(node: string, script: URL, config: object): LineDriver<Command> {
    return new LineDriver<Command>(this.script(node, script, config));
  }

  private script(node: string, script: URL, config: object): ChildProcess {
    return this.start(node, [process.execPath, fileURLToPath(script), JSON.stringify(config)], { stdin: true });
  }

  /** A whole cpnd; returns a function for commands of `cpnctl --json`. */
  async cpnd(node: string, config: object): Promise<(...command: string[]) => string> {
    const socket = join(this.directory, `${node}.sock`);
    const target = `unix://${socket}`;
    const file = this.file(`${node}.yaml`, stringify({ ...config, api: { listen: target }, log: { level: 'warn' } }));
    this.start(node, [process.execPath, fileURLToPath(new URL('../../daemon/cpnd.js', import.meta.url)), 'router', '--config', file]);
    await eventually('cpnd answers', () => existsSync(socket));
    return (...command) => this.exec(node, process.execPath, fileURLToPath(new URL('../../cli/cpnctl.js', import.meta.url)), '--json', '--target', target, ...command);
  }

  /** Stock zebra and ospf6d; returns a function for `vtysh -c`. */
  async frr(node: string, configuration: string): Promise<(command: string) => string> {
    const directory = join(this.directory, node);
    mkdirSync(directory);
    // The daemons change to a user of their own.
    for (const path of [this.directory, directory]) chmodSync(path, 0o777);
    const common = ['-z', `${directory}/zserv.api`, '--vty_socket', directory, '-P', '0', '--log', 'stdout'];
    this.start(node, ['/usr/lib/frr/zebra', '-f', this.file(`${node}-zebra.conf`, `hostname ${node}\n`), '-i', `${directory}/zebra.pid`, ...common]);
    // It tries again only after ten seconds.
    await eventually('zebra listens', () => existsSync(`${directory}/zserv.api`));
    this.start(node, ['/usr/lib/frr/ospf6d', '-f', this.file(`${node}.conf`, configuration), '-i', `${directory}/ospf6d.pid`, ...common]);
    return (command) => this.exec(node, 'vtysh', '--vty_socket', directory, '-c', command);
  }

  /** Stock BIRD; returns a function for commands of birdc. */
  bird(node: string, configuration: string): (command: string) => string {
    const control = join(this.directory, `${node}.ctl`);
    this.start(node, ['bird', '-f', '-c', this.file(`${node}.conf`, configuration), '-s', control]);
    return (command) => this.exec(node, 'birdc', '-s', control, command);
  }
}

export async function withOspfLab(name: string, run: (lab: OspfLab) => Promise<void>): Promise<void> {
  const lab = new OspfLab(name);
  try {
    await run(lab);
  } catch (error) {
    console.error(lab.logs());
    throw error;
  } finally {
    await lab.close();
  }
}
