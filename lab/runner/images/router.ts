/** `cpn/router`: cpnd of this checkout, with the bound /etc/cpn/cpnd.yaml. As in the container, `cmd` replaces cpnd's arguments. */
import { splitWords } from '../../topology/words.js';
import type { Image } from './image.js';
import { command, cpnctl, cpnd } from './programs.js';

export const routerImage: Image = {
  async start(node) {
    await node.run(['sh', '-c', `${command('cpnd', cpnd)} && ${command('cpnctl', cpnctl)}`]);
    const words = node.definition.cmd === undefined ? undefined : splitWords(node.definition.cmd);
    await node.startDaemon({ name: 'cpnd', argv: [...cpnd, ...(words ?? ['router', '--config', '/etc/cpn/cpnd.yaml'])] });
  },
};
