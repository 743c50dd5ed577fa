/** Images named `*gobgp*`: the installed gobgpd with the bound configuration, in whichever of its formats. */
import { extname } from 'node:path';
import { LabError } from '../state.js';
import { boundFile, type Image } from './image.js';

export const gobgpImage: Image = {
  async start(node) {
    const config = boundFile(node.definition, /gobgp[^/]*\.(toml|ya?ml|json|conf)$/) ?? boundFile(node.definition, /\.(toml|ya?ml|json|conf)$/);
    if (config === undefined) throw new LabError(`node ${node.name}: no configuration among the binds; expected one such as gobgpd.toml:/etc/gobgp/gobgpd.toml`);
    const extension = extname(config).slice(1);
    const type = extension === 'conf' ? 'toml' : extension === 'yml' ? 'yaml' : extension;
    await node.startDaemon({ name: 'gobgpd', argv: ['gobgpd', '-f', config, '-t', type] });
  },
};
