/** What an image name stands for on namespaces. */
import type { LabNode } from '../node.js';
import type { TopologyNode } from '../../topology/topology.js';

export interface Image {
  /** Starts the node's programs; called once the links are there, and again when a failed node is restored. */
  start(node: LabNode): Promise<void>;
}

/** The program part of an image reference, without registry, folder, tag and digest, is what names it: `registry.example/frrouting/frr:8.4` -> `registry.example/frrouting/frr`. */
export function repositoryOf(image: string): string {
  return image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}

/** The bind that a daemon's configuration comes from: the first whose target matches. */
export function boundFile(node: TopologyNode, pattern: RegExp): string | undefined {
  return node.binds.find((bind) => pattern.test(bind.target))?.target;
}
