/** A JSON or YAML file that something else on the node keeps up to date: values by field name, nested or with dots. Read again when it changes. */
import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { parse } from 'yaml';
import { parseField, sampleOf, type Field } from '../fields.js';
import type { Sample, Source } from '../sample.js';

const MOST_DEPTH = 6;

/** Values of a text by field; what is no field or no number is named in `faults`. Never throws. */
export function parseValues(text: string, faults: string[]): [Field, number][] {
  let content: unknown;
  try {
    content = parse(text, { prettyErrors: false });
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error));
    return [];
  }
  const values: [Field, number][] = [];
  const visit = (value: unknown, path: string, depth: number): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && depth < MOST_DEPTH) {
      for (const [key, inner] of Object.entries(value)) visit(inner, path === '' ? key : `${path}.${key}`, depth + 1);
      return;
    }
    const field = parseField(path);
    if (!field) faults.push(`${path === '' ? 'the file' : path} is no field`);
    else if (typeof value !== 'number') faults.push(`${path}: expected a number`);
    else values.push([field, value]);
  };
  if (content !== null && content !== undefined) visit(content, '', 0);
  return values;
}

export class FileSource implements Source {
  readonly name: string;
  private watcher: FSWatcher | undefined;

  constructor(private readonly path: string) {
    this.name = `file ${path}`;
  }

  async read(): Promise<Partial<Sample>> {
    const faults: string[] = [];
    const sample = sampleOf(parseValues(await readFile(this.path, 'utf8'), faults), faults);
    if (faults.length > 0) throw new Error(faults.join('; '));
    return sample;
  }

  /** Watches the folder: files that are replaced by renaming are new files. */
  onChange(listener: () => void): void {
    const name = basename(this.path);
    this.watcher = watch(dirname(this.path), (_event, changed) => {
      if (changed === name) listener();
    });
    // The folder may go; the interval still reads the file.
    this.watcher.on('error', () => undefined);
  }

  stop(): void {
    this.watcher?.close();
  }
}
