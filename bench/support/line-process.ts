/** A program in a node that answers each line of JSON with one; its first line says that it is ready. */
import { createInterface } from 'node:readline';
import type { NodeProcess } from '../../lab/index.js';

export class LineProcess {
  private constructor(
    readonly process: NodeProcess,
    private readonly answers: AsyncIterator<string>,
  ) {}

  static async over(process: NodeProcess): Promise<LineProcess> {
    const lines = new LineProcess(process, createInterface({ input: process.child.stdout! })[Symbol.asyncIterator]());
    await lines.read();
    return lines;
  }

  /** The next line. Throws when the program ended. */
  async read(): Promise<unknown> {
    const next = await this.answers.next();
    if (next.done === true) throw new Error(`a program of the bench ended: ${this.process.stderr.slice(-2000)}`);
    return JSON.parse(next.value) as unknown;
  }

  async call<T>(request: object): Promise<T> {
    this.process.write(`${JSON.stringify(request)}\n`);
    return (await this.read()) as T;
  }
}
