/** Packet captures on a node's interface, with tcpdump inside the node. */
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { LabNode } from './runner/node.js';
import { LabError } from './runner/state.js';
import { waitFor } from './runner/wait.js';
import { enter, nodeEnvironment, commandBehind, exitStatus } from './runner/enter.js';
import { signalProcess } from './runner/processes.js';

export interface CaptureOptions {
  /** Where the pcap file goes (host path); a stream in its place receives the file or the text. */
  readonly output: string | NodeJS.WritableStream;
  /** Text lines instead of pcap. */
  readonly text?: boolean;
  /** pcap filter expression. */
  readonly filter?: string;
  /** Ends after this many packets. */
  readonly count?: number;
}

/** Splits `node:interface`. */
export function splitEndpoint(text: string): { node: string; interface: string } {
  const match = /^([^:]+):(.+)$/.exec(text);
  if (!match) throw new LabError(`expected node:interface, found "${text}"`);
  return { node: match[1]!, interface: match[2]! };
}

/** A capture that is running: every packet after `start` returned is in it. */
export class Capture {
  private constructor(
    private readonly interrupt: () => boolean,
    /** tcpdump's exit status, once all it captured is written. */
    readonly ended: Promise<number>,
    /** The pcap file, or empty where the output is a stream. */
    readonly path: string,
  ) {}

  static async start(node: LabNode, name: string, options: CaptureOptions): Promise<Capture> {
    const path = typeof options.output === 'string' ? options.output : '';
    const argv = ['tcpdump', '-Z', 'root', '-n', '-i', name, '--immediate-mode'];
    argv.push(...(options.text === true ? ['-l'] : ['-U', '-w', '-']));
    if (options.count !== undefined) argv.push('-c', String(options.count));
    if (options.filter !== undefined && options.filter !== '') argv.push(options.filter);
    const child = enter(node.init, argv, { env: nodeEnvironment({}), stdio: ['ignore', 'pipe', 'pipe'] });
    const output = typeof options.output === 'string' ? createWriteStream(options.output) : options.output;
    child.stdout!.pipe(output, { end: path !== '' });
    let errors = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (errors += text));
    const ended = new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(exitStatus(code, signal)));
    }).then(async (status) => {
      if (path !== '') await finished(output);
      return status;
    });
    let over = false;
    void ended.then(() => (over = true), () => (over = true));
    await waitFor(() => over || errors.includes('listening on'), { timeoutMs: 10_000, what: `tcpdump on ${node.name}:${name}`, intervalMs: 2 });
    if (!errors.includes('listening on')) throw new LabError(`node ${node.name}: ${errors.trim() || 'tcpdump could not be started'}`);
    const command = await commandBehind(child);
    return new Capture(() => command !== undefined && signalProcess(command, 'SIGINT'), ended, path);
  }

  /** Ends it and returns the path of the pcap file, which is complete then. */
  async stop(): Promise<string> {
    this.interrupt();
    await this.ended;
    return this.path;
  }
}
