/** `cpn/node`: a computing node. With a bound /etc/cpn/agent.yaml it runs this checkout's `cpnd agent`, else it is a plain host. */
import { splitWords } from '../../topology/words.js';
import { boundFile, type Image } from './image.js';
import { command, cpnd } from './programs.js';

export const nodeImage: Image = {
  async start(node) {
    const config = boundFile(node.definition, /^\/etc\/cpn\/agent\.yaml$/);
    if (config === undefined) return;
    await node.run(['sh', '-c', command('cpnd', cpnd)]);
    const words = node.definition.cmd === undefined ? undefined : splitWords(node.definition.cmd);
    await node.startDaemon({ name: 'agent', argv: [...cpnd, ...(words ?? ['agent', '--config', config])] });
  },
};
