/** One run of cpnctl: global options, the connection to the daemon when a command needs one, and output. */
import type { Command } from 'commander';
import type { Method } from '../proto/methods.js';
import type { ApiClient } from './client.js';
import { toJson } from './json.js';

type Methods = typeof import('../proto/methods.js');

export const DEFAULT_TARGET = 'unix:///run/cpn/cpnd.sock';

export class Session {
  /** Exit status of a command that did its work and whose answer was no. */
  exitStatus = 0;
  private api: ApiClient | undefined;

  constructor(
    private readonly root: Command,
    private readonly out: NodeJS.WritableStream = process.stdout,
  ) {}

  get json(): boolean {
    return this.root.opts<{ json?: boolean }>().json === true;
  }

  get target(): string {
    return this.root.opts<{ target: string }>().target;
  }

  // gRPC and the generated code take more time to load than the rest of the program: only when they are needed.
  private async connect(): Promise<{ api: ApiClient; methods: Methods }> {
    const [{ ApiClient }, methods] = await Promise.all([import('./client.js'), import('../proto/methods.js')]);
    this.api ??= new ApiClient(this.target);
    return { api: this.api, methods };
  }

  async call<Q extends object, A extends object>(pick: (methods: Methods) => Method<Q, A>, request: Q): Promise<A> {
    const { api, methods } = await this.connect();
    return api.call(pick(methods), request);
  }

  /** All items of an answer that comes in batches. */
  async list<Q extends object, A extends object, T>(pick: (methods: Methods) => Method<Q, A>, request: Q, items: (batch: A) => readonly T[]): Promise<T[]> {
    const { api, methods } = await this.connect();
    const all: T[] = [];
    await api.stream(pick(methods), request, (batch) => {
      for (const item of items(batch)) all.push(item);
    });
    return all;
  }

  async watch<Q extends object, A extends object>(pick: (methods: Methods) => Method<Q, A>, request: Q, each: (message: A) => void, signal: AbortSignal): Promise<void> {
    const { api, methods } = await this.connect();
    await api.stream(pick(methods), request, each, signal);
  }

  print(text: string): void {
    this.out.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** Prints a value as JSON with --json, else as `render` puts it. */
  async answer<T>(value: T, render: (value: T) => string | Promise<string>): Promise<void> {
    this.print(this.json ? toJson(value, 2) : await render(value));
  }

  close(): void {
    this.api?.close();
  }
}
