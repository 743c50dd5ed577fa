/** Registrations on disk, so that instance numbers, SIDs and pinned flows outlive a restart of the router. Written behind, replaced whole. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cpn } from '../../../proto/gen/cpn.js';
import { toValues } from '../../../proto/values.js';
import type { Clock, Timer } from '../../clock.js';
import type { SavedNode } from './parts.js';
import type { NodeDescription } from './types.js';

const VERSION = 1;
const DELAY_MS = 200;

/** Nodes turned into text before other work gets its turn. */
const SLICE = 16;

const nodeText = (node: SavedNode): string => JSON.stringify(node, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
const fileText = (nodes: readonly string[]): string => `{"version":${VERSION},"nodes":[\n${nodes.join(',\n')}\n]}\n`;

/** Reads what `fileText` wrote; throws Error when it is something else. */
function parse(text: string): SavedNode[] {
  const content = JSON.parse(text) as { version?: unknown; nodes?: unknown };
  if (content.version !== VERSION || !Array.isArray(content.nodes)) throw new Error(`expected version ${VERSION} with a list of nodes`);
  return (content.nodes as SavedNode[]).map((node) => ({
    // Through the message of the protocol, so that every field has its type whatever the file says.
    description: toValues(cpn.v1.RegisterNode.decode(cpn.v1.RegisterNode.encode(cpn.v1.RegisterNode.fromObject(node.description)).finish())) as NodeDescription,
    authenticated: node.authenticated,
    services: node.services.filter(({ service, instance, sid, active }) => typeof service === 'string' && typeof instance === 'number' && typeof sid === 'string' && typeof active === 'boolean'),
  }));
}

export class StateFile {
  private timer: Timer | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly path: string,
    private readonly clock: Clock,
    private readonly onFault: (text: string) => void,
  ) {}

  /** What an earlier run left. A file that cannot be understood is put aside and said so. */
  read(): SavedNode[] {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.onFault(`${this.path} cannot be read: ${(error as Error).message}`);
      return [];
    }
    try {
      return parse(text);
    } catch (error) {
      const aside = `${this.path}.unreadable`;
      this.onFault(`${this.path} is put aside as ${aside}: ${(error as Error).message}`);
      renameSync(this.path, aside);
      return [];
    }
  }

  /** Writes what `nodes` gives, soon. */
  schedule(nodes: () => readonly SavedNode[]): void {
    this.timer ??= this.clock.setTimeout(() => {
      this.timer = undefined;
      this.writing = this.writing.then(() => this.write(nodes()));
    }, DELAY_MS);
  }

  private async write(nodes: readonly SavedNode[]): Promise<void> {
    const next = `${this.path}.next`;
    const texts: string[] = [];
    for (const node of nodes) {
      texts.push(nodeText(node));
      if (texts.length % SLICE === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    try {
      await mkdir(dirname(this.path), { recursive: true, mode: 0o750 });
      await writeFile(next, fileText(texts), { mode: 0o640 });
      await rename(next, this.path);
    } catch (error) {
      this.onFault(`${this.path} cannot be written, a restart would forget the nodes: ${(error as Error).message}`);
    }
  }

  /** Writes now: the process ends. */
  flush(nodes: readonly SavedNode[]): void {
    this.timer?.cancel();
    this.timer = undefined;
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o750 });
      writeFileSync(`${this.path}.last`, fileText(nodes.map(nodeText)), { mode: 0o640 });
      renameSync(`${this.path}.last`, this.path);
    } catch (error) {
      this.onFault(`${this.path} cannot be written: ${(error as Error).message}`);
    }
  }
}
