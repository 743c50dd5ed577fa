/** Images named `*openbgpd*`: the installed OpenBGPD with the bound /etc/bgpd.conf. Its bgpd is not FRR's, which lies outside the PATH. */
import { LabError } from '../state.js';
import { boundFile, type Image } from './image.js';

export const openbgpdImage: Image = {
  async start(node) {
    const config = boundFile(node.definition, /bgpd[^/]*\.conf$/);
    if (config === undefined) throw new LabError(`node ${node.name}: no configuration among the binds; expected one such as bgpd.conf:/etc/bgpd.conf`);
    // It refuses a file that others may write, and wants the folder of its control socket.
    await node.run(['sh', '-c', `mkdir -p /run/openbgpd && install -m 600 ${config} /run/openbgpd/bgpd.conf`]);
    await node.startDaemon({ name: 'bgpd', argv: ['/usr/sbin/bgpd', '-d', '-f', '/run/openbgpd/bgpd.conf'] });
  },
};
