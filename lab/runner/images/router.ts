/** `cpn/router`: cpnd of this checkout, with the bound /etc/cpn/cpnd.yaml. As in the container, `cmd` replaces cpnd's arguments. */
import { splitWords } from '../../topology/words.js';
import { checkout } from '../checkout.js';
import type { Image } from './image.js';

export const routerImage: Image = {
  async start(node) {
    const words = node.definition.cmd === undefined ? undefined : splitWords(node.definition.cmd);
    await node.startDaemon({
      name: 'cpnd',
      argv: [process.execPath, '--enable-source-maps', `${checkout}/dist/daemon/cpnd.js`, ...(words ?? ['router', '--config', '/etc/cpn/cpnd.yaml'])],
    });
  },
};
