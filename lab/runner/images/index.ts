/** Image names and what runs for them; any other image is a plain host. */
import { repositoryOf, type Image } from './image.js';
import { birdImage } from './bird.js';
import { exabgpImage } from './exabgp.js';
import { frrImage } from './frr.js';
import { gobgpImage } from './gobgp.js';
import { nodeImage } from './node.js';
import { openbgpdImage } from './openbgpd.js';
import { routerImage } from './router.js';

const byName: readonly (readonly [needle: string, image: Image])[] = [
  ['frr', frrImage],
  ['exabgp', exabgpImage],
  ['gobgp', gobgpImage],
  ['openbgpd', openbgpdImage],
  ['bird', birdImage],
];

/** The image's programs, or undefined for a plain host. */
export function imageFor(image: string): Image | undefined {
  const repository = repositoryOf(image);
  if (/(^|\/)cpn\/router$/.test(repository)) return routerImage;
  if (/(^|\/)cpn\/node$/.test(repository)) return nodeImage;
  return byName.find(([needle]) => repository.includes(needle))?.[1];
}
