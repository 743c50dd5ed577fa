/** Images named `*exabgp*`: the installed ExaBGP with the bound configuration, as root (helper processes of a lab need no less). */
import { LabError } from '../state.js';
import { boundFile, type Image } from './image.js';

export const exabgpImage: Image = {
  async start(node) {
    const config = boundFile(node.definition, /exabgp[^/]*\.conf$/) ?? boundFile(node.definition, /\.conf$/);
    if (config === undefined) throw new LabError(`node ${node.name}: no configuration among the binds; expected one such as exabgp.conf:/etc/exabgp/exabgp.conf`);
    // ExaBGP's command line interface talks through two pipes it expects to find.
    await node.run(['sh', '-c', 'for end in in out; do [ -p /run/exabgp.$end ] || mkfifo -m 600 /run/exabgp.$end; done']);
    await node.startDaemon({
      name: 'exabgp',
      argv: ['exabgp', config],
      env: { exabgp_daemon_user: 'root', exabgp_daemon_drop: 'false', exabgp_log_destination: 'stdout', ...node.definition.env },
    });
  },
};
