/** The gRPC server of the API on a unix socket; the file mode of the socket is its access control. */
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { systemClock, type Clock } from '../clock.js';
import type { RouterFacade } from './facade.js';
import { bfdService } from './bfd.js';
import { modelService } from './models.js';
import { nodeService } from './nodes.js';
import { ospfService } from './ospf.js';
import { bgpPolicyService, bgpService, computingService, networkService, routerService, watchService } from './services.js';
import { telemetryService } from './telemetry.js';
import { Transport, type FaultListener } from './transport.js';

export interface NorthboundOptions {
  /** unix:///path/of/socket */
  readonly listen: string;
  readonly clock?: Clock;
  /** Called with errors that are the daemon's own fault. */
  readonly onFault?: FaultListener;
}

/** Readable and writable by owner and group: operators belong to the group. */
const SOCKET_MODE = 0o660;

/** The path in a `unix:` target, or undefined. */
export function socketPath(target: string): string | undefined {
  const match = /^unix:(?:\/\/)?(\/[^/].*)$/.exec(target);
  return match?.[1];
}

export class NorthboundServer {
  private readonly server = new Server({ 'grpc.max_concurrent_streams': 256 });

  private constructor(readonly path: string) {}

  /** Rejects when another process answers on the socket: another cpnd, whose kernel state is not to be touched. Removes a socket that nobody answers on. */
  static async claim(listen: string): Promise<string> {
    const path = socketPath(listen);
    if (path === undefined) throw new Error(`api.listen: ${listen} is not unix:///absolute/path`);
    await removeStaleSocket(path);
    return path;
  }

  /** Starts the server. Rejects when another process answers on the socket, or the socket cannot be made. */
  static async start(facade: RouterFacade, options: NorthboundOptions): Promise<NorthboundServer> {
    const path = await NorthboundServer.claim(options.listen);
    mkdirSync(dirname(path), { recursive: true });
    const northbound = new NorthboundServer(path);
    const transport = new Transport(northbound.server, options.onFault ?? (() => undefined));
    routerService(transport, facade);
    bgpService(transport, facade);
    bgpPolicyService(transport, facade);
    computingService(transport, facade);
    nodeService(transport, facade);
    networkService(transport, facade);
    modelService(transport, facade.models);
    watchService(transport, facade, options.clock ?? systemClock);
    telemetryService(transport, facade.telemetry);
    bfdService(transport, facade.bfd);
    ospfService(transport, facade, options.clock ?? systemClock);
    await new Promise<void>((resolve, reject) => {
      northbound.server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
    });
    chmodSync(path, SOCKET_MODE);
    return northbound;
  }

  /** Ends all calls and removes the socket. */
  close(): void {
    this.server.forceShutdown();
  }
}

/** Removes a socket that nobody answers on; rejects when somebody does or the path is something else. */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new Error(`${path} exists and is not a socket`);
  const answered = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'));
  });
  if (answered) throw new Error(`another process answers on ${path}`);
  unlinkSync(path);
}
