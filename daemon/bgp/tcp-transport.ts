/**
 * BGP's transport over TCP sockets of the kernel. The sockets are made, connected and accepted here, so that hop limits and keys hold from
 * the first packet on; node:net takes over those that are connected.
 */
import { getSystemErrorName } from 'node:util';
import { native } from '../../dataplane/native/index.js';
import { socketAddress } from '../../dataplane/packet/socket-address.js';
import { TcpListener } from './tcp-listener.js';
import { boundSocket, ipVersion, type Kernel, pendingError, setHopLimits, setPassword } from './tcp-socket.js';
import { TcpStream } from './tcp-stream.js';
import type { Cancellable, ConnectOptions, Endpoint, ListenHandlers, Listener, NeighborRules, Stream, Transport } from './transport.js';

const writable = 2;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class TcpTransport implements Transport {
  constructor(private readonly kernel: Kernel = native) {}

  connect(options: ConnectOptions, connected: (stream: Stream) => void, failed: (error: string) => void): Cancellable {
    const { kernel } = this;
    const { remote, password } = options;
    let fd: number | undefined;
    let handle: { close(): void } | undefined;
    let isOver = false;
    /** Ends the attempt; the descriptor is the caller's from here on. */
    const end = (): void => {
      isOver = true;
      clearTimeout(timer);
      handle?.close();
    };
    const cancel = (): void => {
      if (isOver) return;
      end();
      if (fd !== undefined) kernel.close(fd);
    };
    const fail = (reason: string): void => {
      if (isOver) return;
      cancel();
      failed(reason);
    };
    const settled = (descriptor: number): void => {
      const errno = pendingError(kernel, descriptor);
      if (errno !== 0) {
        fail(`connect ${getSystemErrorName(-errno)} [${remote.address}]:${remote.port}`);
        return;
      }
      let stream: Stream;
      try {
        // One watcher a descriptor: net.Socket brings its own.
        handle?.close();
        stream = new TcpStream(descriptor, remote);
      } catch (error) {
        fail(messageOf(error));
        return;
      }
      end();
      connected(stream);
    };
    // The kernel drops segments with a wrong signature without a word (RFC 2385 section 2.0).
    const timeout = password === undefined ? 'connection timed out' : 'connection timed out, as it does when the passwords differ';
    const timer = setTimeout(() => fail(timeout), options.timeoutMs);
    try {
      fd = this.socketFor(options);
      const descriptor = fd;
      kernel.connect(descriptor, socketAddress(remote.address, remote.port));
      handle = kernel.poll(descriptor, writable, () => settled(descriptor));
    } catch (error) {
      setImmediate(() => fail(messageOf(error)));
    }
    return { cancel };
  }

  listen(local: Endpoint, handlers: ListenHandlers, neighbors: readonly NeighborRules[]): Listener {
    try {
      return new TcpListener(this.kernel, local, handlers, neighbors);
    } catch (error) {
      const notice = setImmediate(() => handlers.failed(messageOf(error)));
      return { cancel: () => clearImmediate(notice), setNeighbors: () => undefined };
    }
  }

  private socketFor(options: ConnectOptions): number {
    const { kernel } = this;
    const { local, remote, password } = options;
    return boundSocket(kernel, { address: local, port: 0 }, (fd) => {
      setHopLimits(kernel, fd, ipVersion(local), options);
      if (password !== undefined) setPassword(kernel, fd, remote.address, password);
    });
  }
}

export const tcpTransport = new TcpTransport();
