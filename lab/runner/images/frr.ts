/**
 * Images named `*frr*`: the installed FRR daemons, as FRR's own container starts them: /etc/frr/daemons says which, /etc/frr/frr.conf
 * is the integrated configuration that vtysh hands to them. They run in the foreground, so that a kill is seen as one.
 */
import { splitWords } from '../../topology/words.js';
import { LabError } from '../state.js';
import { waitFor } from '../wait.js';
import type { Image } from './image.js';

const folder = '/usr/lib/frr';

/** Always started, where the FRR release has them. zebra first: the others are its clients; mgmtd before staticd. */
const always = ['zebra', 'mgmtd', 'staticd'];

/** NAME=value lines of /etc/frr/daemons, a shell fragment in which nothing but assignments matters. */
export function parseDaemonsFile(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Za-z0-9_]+)=(?:"([^"]*)"|'([^']*)'|(\S*))/.exec(line);
    if (match) settings.set(match[1]!, match[2] ?? match[3] ?? match[4] ?? '');
  }
  return settings;
}

/** Names of the daemons to start, in order, with their options. */
export function daemonsToStart(settings: ReadonlyMap<string, string>, installed: ReadonlySet<string>): { name: string; options: string[] }[] {
  const asked = [...settings].filter(([name, value]) => value === 'yes' && installed.has(name) && !always.includes(name)).map(([name]) => name);
  return [...always.filter((name) => installed.has(name)), ...asked].map((name) => ({
    name,
    // -d would daemonise; everything else is the operator's.
    options: (splitWords(settings.get(`${name}_options`) ?? '') ?? []).filter((word) => word !== '-d' && word !== '--daemon'),
  }));
}

/** Succeeds once a daemon answers (a socket file alone may be what a killed one left behind). */
const answers = (name: string): string => `vtysh -d ${name} -c 'show version' > /dev/null 2>&1`;

export const frrImage: Image = {
  async start(node) {
    const listing = await node.exec(['ls', folder]);
    const installed = new Set(listing.stdout.split('\n'));
    if (!installed.has('zebra')) throw new LabError(`node ${node.name}: image ${node.definition.image} needs FRR, which is not installed (Debian package frr)`);
    // The sockets' folder as the package's tmpfiles entry makes it; without a vtysh.conf vtysh complains at every call.
    await node.run(['sh', '-c', 'install -d -o frr -g frrvty -m 0755 /run/frr && install -d -o frr -g frr -m 0755 /var/log/frr && { [ -e /etc/frr/vtysh.conf ] || : > /etc/frr/vtysh.conf; }']);
    const file = await node.exec(['cat', '/etc/frr/daemons']);
    for (const { name, options } of daemonsToStart(parseDaemonsFile(file.stdout), installed)) {
      const daemon = await node.startDaemon({
        name,
        argv: [`${folder}/${name}`, '--log', 'stdout', ...options],
        afterStart: ['sh', '-c', `${answers(name)} && vtysh -b`],
      });
      await waitFor(async () => !daemon.running || (await node.exec(['sh', '-c', answers(name)])).status === 0, {
        timeoutMs: 20_000,
        what: `${name} on node ${node.name} to answer`,
        intervalMs: 10,
      });
      if (!daemon.running) throw new LabError(`node ${node.name}: ${name} ended: ${daemon.log.trim().slice(-1000)}`);
    }
    if ((await node.exec(['test', '-r', '/etc/frr/frr.conf'])).status === 0) await node.run(['vtysh', '-b']);
  },
};
