/** Reads the vectors under test/vectors, which are not compiled: paths are from the root of the project. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** Root folder of the project. */
export const ROOT = findRoot();

/** Folder of captures by others that do not go into the project; they are beside it where they are at all. */
export const SHARED_DATA = process.env['CPN_SHARED_DATA'] ?? join(ROOT, '..', 'shared', 'data');

export const vectorPath = (...path: string[]): string => join(ROOT, 'test', 'vectors', ...path);

/** Names without extension of the files with `extension` in a folder of vectors. */
export function vectorNames(folder: string, extension: string): string[] {
  return readdirSync(vectorPath(folder))
    .filter((name) => name.endsWith(extension))
    .map((name) => name.slice(0, -extension.length))
    .sort();
}

/** Octets of hexadecimal text; white space and `#` comments to the end of a line are ignored. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/#.*$/gm, '').replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new TypeError(`not hexadecimal: ${digits}`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

export const readHex = (folder: string, name: string): Uint8Array => hex(readFileSync(vectorPath(folder, `${name}.hex`), 'utf8'));

export const readJson = (folder: string, name: string): unknown => JSON.parse(readFileSync(vectorPath(folder, `${name}.json`), 'utf8'));
