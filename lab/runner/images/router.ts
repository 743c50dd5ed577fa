/** `cpn/router`: cpnd of this checkout, with the bound /etc/cpn/cpnd.yaml. As in the container, `cmd` replaces cpnd's arguments. */
import { splitWords } from '../../topology/words.js';
import { checkout } from '../checkout.js';
import type { Image } from './image.js';

const cpnd = [process.execPath, '--enable-source-maps', `${checkout}/dist/daemon/cpnd.js`];
const cpnctl = [process.execPath, `${checkout}/dist/cli/cpnctl.js`];

/** Writes a command `name` that runs `argv` with the arguments it gets. */
const command = (name: string, argv: readonly string[]): string =>
  `printf '#!/bin/sh\\nexec ${argv.map((word) => `"${word}"`).join(' ')} "$@"\\n' > /usr/local/bin/${name} && chmod 755 /usr/local/bin/${name}`;

export const routerImage: Image = {
  async start(node) {
    await node.run(['sh', '-c', `${command('cpnd', cpnd)} && ${command('cpnctl', cpnctl)}`]);
    const words = node.definition.cmd === undefined ? undefined : splitWords(node.definition.cmd);
    await node.startDaemon({ name: 'cpnd', argv: [...cpnd, ...(words ?? ['router', '--config', '/etc/cpn/cpnd.yaml'])] });
  },
};
