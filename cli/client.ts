/** Calls of the API from the command line. Loaded only by commands that talk to a daemon. */
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import type { Method } from '../proto/methods.js';
import { CommandFailure, EXIT_NO, EXIT_UNREACHABLE } from './exit.js';

/** An answer that takes longer than this, ms, counts as none. Watches have no limit. */
const DEADLINE = 15_000;

/** A call that ends as cancelled without our asking: the daemon stopped. */
const UNREACHABLE: ReadonlySet<status> = new Set([status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED]);

const CONNECT_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket (is cpnd running?)',
  ECONNREFUSED: 'nobody listens there (is cpnd running?)',
  EACCES: 'permission denied (be root, or in the group of the socket)',
};

/** Why no connection came about, out of the long text of grpc-js. */
function connectError(details: string): string {
  return CONNECT_ERRORS[/connect (E[A-Z]+)/.exec(details)?.[1] ?? ''] ?? details;
}

export class ApiClient {
  private readonly client: Client;

  constructor(private readonly target: string) {
    // A router's answer may be long (flows); the limits against large messages are for servers.
    this.client = new Client(target, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1, 'grpc.enable_http_proxy': 0 });
  }

  close(): void {
    this.client.close();
  }

  private failure(error: ServiceError): CommandFailure {
    if (error.code === status.UNIMPLEMENTED) return new CommandFailure(EXIT_UNREACHABLE, `what answers at ${this.target} does not know this request: ${error.details}`);
    if (UNREACHABLE.has(error.code)) return new CommandFailure(EXIT_UNREACHABLE, `cannot reach cpnd at ${this.target}: ${connectError(error.details)}`);
    return new CommandFailure(EXIT_NO, error.details);
  }

  call<Q extends object, A extends object>(method: Method<Q, A>, request: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(method.path, method.requestSerialize, method.responseDeserialize, request, { deadline: Date.now() + DEADLINE }, (error, answer) => {
        if (error) reject(this.failure(error));
        else resolve(answer!);
      });
    });
  }

  /** Calls `each` with every message until the stream ends or `signal` aborts it. */
  stream<Q extends object, A extends object>(method: Method<Q, A>, request: Q, each: (message: A) => void, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const options = signal ? {} : { deadline: Date.now() + DEADLINE };
      const call = this.client.makeServerStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, request, options);
      const abort = (): void => call.cancel();
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted) abort();
      call.on('data', each);
      call.on('end', () => resolve());
      call.on('error', (error: ServiceError) => {
        signal?.removeEventListener('abort', abort);
        if (signal?.aborted && error.code === status.CANCELLED) resolve();
        else reject(this.failure(error));
      });
    });
  }
}
