/** Accepts the connections of neighbours on one address and port, each under the rules of its neighbour. */
import { parseIp, Prefix } from '../../dataplane/packet/ip.js';
import { boundSocket, endpointOf, ipVersion, type Kernel, setHopLimits, setListenerHopLimits, setPassword } from './tcp-socket.js';
import { TcpStream } from './tcp-stream.js';
import type { Endpoint, ListenHandlers, Listener, NeighborRules } from './transport.js';

const readable = 1;
/** Connections that may wait to be accepted. */
const backlog = 511;
/** Connections accepted before others get their turn. */
const acceptSlice = 16;

type Accepted = NonNullable<ReturnType<Kernel['accept']>>;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class TcpListener implements Listener {
  private readonly fd: number;
  private readonly family: 4 | 6;
  private readonly handle: { close(): void };
  private neighbors = new Map<string, NeighborRules>();
  /** Why connections of a neighbour cannot be accepted under its rules. */
  private readonly unusable = new Map<string, string>();
  /** Rules by prefix, the longest first. */
  private ranges: readonly { readonly prefix: Prefix; readonly rules: NeighborRules }[] = [];
  private closed = false;

  /** Throws NativeError when the address or the port cannot be had. */
  constructor(
    private readonly kernel: Kernel,
    local: Endpoint,
    private readonly handlers: ListenHandlers,
    neighbors: readonly NeighborRules[],
  ) {
    this.family = ipVersion(local.address);
    this.fd = boundSocket(kernel, local, (fd) => this.apply(fd, neighbors));
    try {
      kernel.listen(this.fd, backlog);
      this.handle = kernel.poll(this.fd, readable, () => this.acceptSome());
    } catch (error) {
      kernel.close(this.fd);
      throw error;
    }
  }

  setNeighbors(neighbors: readonly NeighborRules[]): void {
    if (this.closed) return;
    const changed = this.apply(this.fd, neighbors);
    if (changed.size === 0) return;
    // From now on the kernel demands the new keys. What waits already may have come without them.
    const waiting: Accepted[] = [];
    try {
      for (let next = this.kernel.accept(this.fd); next; next = this.kernel.accept(this.fd)) {
        if (changed.has(endpointOf(next.address).address)) this.kernel.close(next.fd);
        else waiting.push(next);
      }
    } catch (error) {
      // What still waits is closed with the listener.
      this.cancel();
      setImmediate(() => this.handlers.failed(messageOf(error)));
    }
    setImmediate(() => waiting.forEach((connection) => this.take(connection)));
  }

  cancel(): void {
    if (this.closed) return;
    this.closed = true;
    this.handle.close();
    this.kernel.close(this.fd);
  }

  /** Returns the neighbours whose password is another one than before. */
  private apply(fd: number, neighbors: readonly NeighborRules[]): Set<string> {
    const before = this.neighbors;
    const ours = neighbors.filter(({ address }) => ipVersion(address) === this.family);
    this.neighbors = new Map(ours.filter(({ address }) => !address.includes('/')).map((rules) => [rules.address, rules]));
    this.ranges = ours
      .filter(({ address }) => address.includes('/'))
      .map((rules) => ({ prefix: Prefix.from(rules.address), rules }))
      .sort((a, b) => b.prefix.length - a.prefix.length);
    setListenerHopLimits(this.kernel, fd, this.family, ours);
    const changed = new Set<string>();
    for (const address of new Set([...before.keys(), ...this.neighbors.keys()])) {
      const password = this.neighbors.get(address)?.password;
      if (before.get(address)?.password === password) continue;
      changed.add(address);
      this.applyPassword(fd, address, password);
    }
    return changed;
  }

  private applyPassword(fd: number, address: string, password: string | undefined): void {
    this.unusable.delete(address);
    try {
      setPassword(this.kernel, fd, address, password);
    } catch (error) {
      const reason = messageOf(error);
      this.unusable.set(address, reason);
      setImmediate(() => !this.closed && this.unusable.get(address) === reason && this.handlers.refused(address, reason));
    }
  }

  private acceptSome(): void {
    try {
      for (let count = 0; count < acceptSlice && !this.closed; count++) {
        const connection = this.kernel.accept(this.fd);
        if (!connection) return;
        this.take(connection);
      }
    } catch (error) {
      // No descriptors or memory: the waiting connection would be reported again at once and for ever.
      this.cancel();
      this.handlers.failed(messageOf(error));
    }
  }

  private take({ fd, address }: Accepted): void {
    if (this.closed) {
      this.kernel.close(fd);
      return;
    }
    const remote = endpointOf(address);
    const stream = this.streamFor(fd, remote);
    if (typeof stream === 'string') {
      this.kernel.close(fd);
      this.handlers.refused(remote.address, stream);
    } else {
      this.handlers.accepted(stream);
    }
  }

  private rangeOf(address: string): NeighborRules | undefined {
    const bytes = parseIp(address);
    return bytes && this.ranges.find(({ prefix }) => prefix.contains(bytes))?.rules;
  }

  /** The connection under the rules of its neighbour, or why that cannot be. */
  private streamFor(fd: number, remote: Endpoint): TcpStream | string {
    const reason = this.unusable.get(remote.address);
    if (reason !== undefined) return reason;
    try {
      const rules = this.neighbors.get(remote.address) ?? this.rangeOf(remote.address);
      // Octets that came between the handshake and here have passed the listener's own limit, which neighbours without GTSM lower.
      if (rules) setHopLimits(this.kernel, fd, this.family, rules);
      return new TcpStream(fd, remote);
    } catch (error) {
      return messageOf(error);
    }
  }
}
