/** The gRPC side of registration: one server a listen address, since who may come by it differs; streams of nodes over the registry. */
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Server, ServerCredentials, status, type ServerDuplexStream } from '@grpc/grpc-js';
import type { Tokens } from '../awareness/registration/credentials.js';
import type { NodeChannel, NodeIdentity } from '../awareness/registration/node.js';
import type { NodeRegistry } from '../awareness/registration/registry.js';
import type { NodeMessage, RouterMessage } from '../awareness/registration/types.js';
import type { Clock } from '../clock.js';
import type { RegistrationConfig } from '../config/registration.js';
import { Refusal } from '../refusal.js';
import { registrationMethods } from '../../proto/methods.js';
import { removeStaleSocket, socketPath } from './server.js';
import { toStatus } from './transport.js';

type NodeStream = ServerDuplexStream<NodeMessage, RouterMessage>;

export interface RegistrationServerOptions {
  readonly config: Pick<RegistrationConfig, 'listen' | 'tls'>;
  readonly registry: NodeRegistry;
  /** The tokens of now: they may change while the server runs. */
  readonly tokens: () => Tokens;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
}

/** Readable and writable by owner and group, as the socket of the API. */
const SOCKET_MODE = 0o660;
/** A node that has not said who it is after so long is sent away, ms. */
const FIRST_MESSAGE_MS = 10_000;
/** Octets of one message; a description with all its lists full has less. */
const MOST_MESSAGE = 256 * 1024;

const CLOSE_CODES = { exhausted: status.RESOURCE_EXHAUSTED, unavailable: status.UNAVAILABLE, denied: status.PERMISSION_DENIED } as const;

export class RegistrationServer {
  private readonly servers: Server[] = [];

  private constructor(private readonly options: RegistrationServerOptions) {}

  /** Rejects when an address cannot be listened on or a file of `tls` cannot be read. */
  static async start(options: RegistrationServerOptions): Promise<RegistrationServer> {
    const started = new RegistrationServer(options);
    try {
      for (const target of options.config.listen) await started.listen(target);
    } catch (error) {
      started.close();
      throw error;
    }
    return started;
  }

  close(): void {
    for (const server of this.servers) server.forceShutdown();
  }

  private async listen(target: string): Promise<void> {
    const path = socketPath(target);
    const server = new Server({ 'grpc.max_concurrent_streams': 4, 'grpc.max_receive_message_length': MOST_MESSAGE });
    const method = registrationMethods.attach;
    server.register(method.path, (stream: NodeStream) => this.serve(stream, path !== undefined), method.responseSerialize, method.requestDeserialize, 'bidi');
    this.servers.push(server);
    if (path !== undefined) {
      await removeStaleSocket(path);
      mkdirSync(dirname(path), { recursive: true });
    }
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(path === undefined ? target : `unix:${path}`, path === undefined ? this.credentials() : ServerCredentials.createInsecure(), (error) =>
        error ? reject(new Error(`registration.listen: ${target}: ${error.message}`)) : resolve(),
      );
    });
    if (path !== undefined) chmodSync(path, SOCKET_MODE);
  }

  private credentials(): ServerCredentials {
    const { tls } = this.options.config;
    if (!tls) throw new Error('registration.tls: TCP needs a certificate');
    const pair = { private_key: readFileSync(tls.key), cert_chain: readFileSync(tls.certificate) };
    return ServerCredentials.createSsl(tls.clientCa === undefined ? null : readFileSync(tls.clientCa), [pair], tls.clientCa !== undefined);
  }

  private serve(stream: NodeStream, local: boolean): void {
    const { registry, clock, onFault } = this.options;
    let attached = false;
    let ended = false;
    const end = (code: status, details: string): void => {
      if (ended) return;
      ended = true;
      stream.emit('error', { code, details });
    };
    const channel: NodeChannel = {
      send: (message) => {
        if (!ended && stream.writable) stream.write(message);
      },
      close: (code, reason) => end(CLOSE_CODES[code], reason),
    };
    const patience = clock.setTimeout(() => end(status.DEADLINE_EXCEEDED, `expected a registration within ${FIRST_MESSAGE_MS} ms`), FIRST_MESSAGE_MS);
    const gone = (): void => {
      patience.cancel();
      ended = true;
      if (attached) registry.detached(channel);
    };
    const take = (message: NodeMessage): void => {
      if (ended) return;
      if (attached && message.update) registry.update(channel, message.update);
      else if (attached && message.logOut) {
        registry.logOut(channel, message.logOut.reason);
        ended = true;
        stream.end();
      } else if (!attached && message.register) {
        registry.attach(this.identify(stream, message.register.node, local), message.register, channel);
        attached = true;
        patience.cancel();
      } else throw new Refusal('invalid', attached ? 'expected an update or a log-out' : 'expected a registration first');
    };
    stream.on('data', (message: NodeMessage) => {
      try {
        take(message);
      } catch (error) {
        if (!(error instanceof Refusal)) onFault(error);
        const { code, details } = toStatus(error);
        if (attached) registry.detached(channel);
        end(code, details);
      }
    });
    stream.on('cancelled', gone);
    stream.on('error', gone);
    stream.on('end', () => {
      gone();
      stream.end();
    });
  }

  /** Who speaks: by certificate, by token, or on the unix socket by its file mode. Throws Refusal. */
  private identify(stream: NodeStream, stated: string, local: boolean): NodeIdentity {
    const subject = stream.getAuthContext().sslPeerCertificate?.subject.CN;
    const commonName = Array.isArray(subject) ? subject[0] : subject;
    if (commonName !== undefined) return { node: commonName, by: 'certificate' };
    const tokens = this.options.tokens();
    const token = /^Bearer (.+)$/.exec(String(stream.metadata.get('authorization')[0] ?? ''))?.[1];
    if (token !== undefined && tokens.verify(stated, token)) return { node: stated, by: 'token' };
    if (token === undefined && local && !tokens.has(stated)) return { node: undefined, by: 'socket' };
    const reason = token === undefined ? 'a token is needed' : 'the token is not that of the node';
    this.options.registry.refusedNode(stated, reason);
    throw new Refusal('unauthenticated', reason);
  }
}
