/** Tells watchers of the API that something changed; what, they look up themselves. */
export type ChangeTopic = 'rib' | 'bgp' | 'ospf';

/** A service address (rib), a neighbor address (bgp), an interface with a neighbor's router ID (ospf); undefined: look at everything. */
export type ChangeKey = string | undefined;

export class ChangeHub {
  private readonly listeners: Record<ChangeTopic, Set<(key: ChangeKey) => void>> = { rib: new Set(), bgp: new Set(), ospf: new Set() };

  /** Returns the way to stop. */
  subscribe(topic: ChangeTopic, listener: (key: ChangeKey) => void): () => void {
    this.listeners[topic].add(listener);
    return () => void this.listeners[topic].delete(listener);
  }

  notify(topic: ChangeTopic, key: ChangeKey): void {
    for (const listener of this.listeners[topic]) listener(key);
  }
}
