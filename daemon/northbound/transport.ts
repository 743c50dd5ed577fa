/** Binds plain functions to grpc-js: errors become status codes, long answers are sent in batches, slow readers are waited for. */
import { status, type Server, type sendUnaryData, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import type { Method } from '../../proto/methods.js';
import { FacadeError, type FacadeErrorCode } from './facade.js';

const CODES: Readonly<Record<FacadeErrorCode, status>> = {
  notFound: status.NOT_FOUND,
  invalid: status.INVALID_ARGUMENT,
  notConfigured: status.FAILED_PRECONDITION,
  unavailable: status.UNAVAILABLE,
  unauthenticated: status.UNAUTHENTICATED,
  denied: status.PERMISSION_DENIED,
  exhausted: status.RESOURCE_EXHAUSTED,
};

/** What the client is told of an error: the facade's own words, or that it is a fault of the daemon. */
export function toStatus(error: unknown): { code: status; details: string } {
  if (error instanceof FacadeError) return { code: CODES[error.code], details: error.message };
  return { code: status.INTERNAL, details: `internal error: ${error instanceof Error ? error.message : String(error)}` };
}

/** Called with errors that are the daemon's own fault, for its log. */
export type FaultListener = (method: string, error: unknown) => void;

export class Transport {
  constructor(
    private readonly server: Server,
    private readonly onFault: FaultListener,
  ) {}

  private fail(path: string, error: unknown): { code: status; details: string } {
    if (!(error instanceof FacadeError)) this.onFault(path, error);
    return toStatus(error);
  }

  unary<Q extends object, A extends object>(method: Method<Q, A>, handler: (request: Q) => A | Promise<A>): void {
    const handle = (call: ServerUnaryCall<Q, A>, callback: sendUnaryData<A>): void => {
      new Promise<A>((resolve) => resolve(handler(call.request))).then(
        (answer) => callback(null, answer),
        (error: unknown) => callback(this.fail(method.path, error)),
      );
    };
    this.server.register(method.path, handle, method.responseSerialize, method.requestDeserialize, 'unary');
  }

  /** Sends the items of an iterable in batches, pulling the next batch only when the last one went out. */
  list<Q extends object, A extends object, T>(method: Method<Q, A>, items: (request: Q) => Iterable<T> | AsyncIterable<T>, wrap: (batch: T[]) => A, batchSize = 256): void {
    this.stream(method, async (request, sink) => {
      let batch: T[] = [];
      for await (const item of items(request)) {
        batch.push(item);
        if (batch.length < batchSize) continue;
        if (!(await sink.send(wrap(batch)))) return;
        batch = [];
      }
      if (batch.length > 0) await sink.send(wrap(batch));
    });
  }

  /** Runs `body` until it returns or the client is gone. */
  stream<Q extends object, A extends object>(method: Method<Q, A>, body: (request: Q, sink: Sink<A>) => Promise<void>): void {
    const handle = (call: ServerWritableStream<Q, A>): void => {
      const sink = new Sink(call);
      body(call.request, sink).then(
        () => call.end(),
        (error: unknown) => void call.emit('error', this.fail(method.path, error)),
      );
    };
    this.server.register(method.path, handle, method.responseSerialize, method.requestDeserialize, 'serverStream');
  }
}

/** The writing end of a streamed answer. */
export class Sink<A extends object> {
  private readonly closed: Promise<void>;
  private gone = false;

  constructor(private readonly call: ServerWritableStream<object, A>) {
    this.closed = new Promise((resolve) => {
      const end = (): void => {
        this.gone = true;
        resolve();
      };
      call.on('cancelled', end);
      call.on('close', end);
    });
  }

  /** False once the client is gone. */
  get open(): boolean {
    return !this.gone && !this.call.cancelled;
  }

  /** Resolves when the client is gone. */
  get end(): Promise<void> {
    return this.closed;
  }

  /** Sends one message and waits until there is room for another; false when the client is gone. Other work runs in between. */
  async send(message: A): Promise<boolean> {
    if (!this.open) return false;
    if (this.call.write(message)) await new Promise<void>((resolve) => setImmediate(resolve));
    else await Promise.race([new Promise<void>((resolve) => this.call.once('drain', resolve)), this.closed]);
    return this.open;
  }
}
