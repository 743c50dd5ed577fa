/** Images named `*bird*`: the installed BIRD with the bound /etc/bird/bird.conf. */
import { boundFile, type Image } from './image.js';

export const birdImage: Image = {
  async start(node) {
    await node.run(['mkdir', '-p', '/run/bird']);
    const config = boundFile(node.definition, /\/bird6?\.conf$/) ?? '/etc/bird/bird.conf';
    await node.startDaemon({ name: 'bird', argv: ['bird', '-f', '-c', config, '-s', '/run/bird/bird.ctl'] });
  },
};
