/** The ComNet of a router: whoever knows a part of the network adds itself as a source. */
import { mergeComNet, type ComNetGraph, type ComNetPart } from './graph.js';

export class ComNet {
  private readonly sources = new Set<() => ComNetPart>();

  /** Asked for its part each time that the graph is; returns the way to take it out again. */
  addSource(source: () => ComNetPart): () => void {
    this.sources.add(source);
    return () => {
      this.sources.delete(source);
    };
  }

  graph(): ComNetGraph {
    return mergeComNet([...this.sources].map((source) => source()));
  }
}
