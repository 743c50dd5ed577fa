/** TCP connections to and from the target, with the hop limits (RFC 5082) and signatures (RFC 2385) that a case wants. */
import net from 'node:net';
import { boundSocket, ipVersion, pendingError, setHopLimits, setPassword } from '../../daemon/bgp/tcp-socket.js';
import { native } from '../../dataplane/native/index.js';
import { socketAddress } from '../../dataplane/packet/socket-address.js';

export interface ConnectOptions {
  readonly local: string;
  readonly remote: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** Hop limit of what is sent. */
  readonly ttl?: number;
  /** Packets with a lower hop limit are dropped. */
  readonly minimumTtl?: number;
  readonly password?: string | undefined;
}

const WRITABLE = 2;

/** A connected socket, or why there is none. Throws NativeError where the local address is not one of this machine. */
export function connectTcp({ local, remote, port, timeoutMs, ttl = 255, minimumTtl, password }: ConnectOptions): Promise<net.Socket | string> {
  const fd = boundSocket(native, { address: local, port: 0 }, (descriptor) => {
    setHopLimits(native, descriptor, ipVersion(local), { ttl, minimumTtl });
    if (password !== undefined) setPassword(native, descriptor, remote, password);
  });
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer);
      handle.close();
      const errno = pendingError(native, fd);
      if (errno !== 0) {
        native.close(fd);
        resolve(`connection refused or failed (errno ${errno})`);
        return;
      }
      const socket = new net.Socket({ fd, readable: true, writable: true });
      socket.setNoDelay(true);
      resolve(socket);
    };
    native.connect(fd, socketAddress(remote, port));
    const handle = native.poll(fd, WRITABLE, settle);
    const timer = setTimeout(() => {
      handle.close();
      native.close(fd);
      resolve(`no answer within ${timeoutMs} ms`);
    }, timeoutMs);
  });
}

/** Takes connections that the target makes to `local`. */
export class Doorway {
  private readonly waiting: ((socket: net.Socket) => void)[] = [];
  private readonly arrived: net.Socket[] = [];

  private constructor(private readonly server: net.Server) {
    server.on('connection', (socket) => {
      socket.setNoDelay(true);
      const taker = this.waiting.shift();
      if (taker) taker(socket);
      else this.arrived.push(socket);
    });
  }

  /** A listener, or why there is none. */
  static open(local: string, port: number): Promise<Doorway | string> {
    return new Promise((resolve) => {
      const server = net.createServer();
      const doorway = new Doorway(server);
      server.once('error', (error) => resolve(error.message));
      server.listen({ host: local, port }, () => resolve(doorway));
    });
  }

  /** The next connection; undefined when there is none in time. */
  next(timeoutMs: number): Promise<net.Socket | undefined> {
    const ready = this.arrived.shift();
    if (ready) return Promise.resolve(ready);
    return new Promise((resolve) => {
      const take = (socket: net.Socket): void => {
        clearTimeout(timer);
        resolve(socket);
      };
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(take), 1);
        resolve(undefined);
      }, timeoutMs);
      this.waiting.push(take);
    });
  }

  close(): void {
    this.server.close();
    for (const socket of this.arrived) socket.destroy();
  }
}
