/** Reads a configuration: YAML, shape, defaults, cross-field checks. Every fault names file, line, column, field and what was expected. */
import { checkBfd } from './check-bfd.js';
import { checkBgpNames } from './check-bgp.js';
import { checkOspf } from './check-ospf.js';
import { checkConfig } from './check.js';
import { readDocument, readText } from './document.js';
import { fieldName, type ConfigError } from './errors.js';
import { resolveConfig } from './resolve.js';
import { fileSchema } from './schema.js';
import type { Config } from './types.js';

export interface ConfigWarning {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly field: string;
  readonly text: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly ConfigWarning[] }
  | { readonly ok: false; readonly errors: readonly ConfigError[] };

/** Reads and checks a file. A file that cannot be read is an error like any other. */
export function loadConfig(path: string): ConfigResult {
  const read = readText(path);
  return read.ok ? parseConfig(read.text, path) : read;
}

/** Checks the text of a configuration; `file` is its name in messages. Never throws. */
export function parseConfig(text: string, file = 'cpnd.yaml'): ConfigResult {
  const document = readDocument(fileSchema, text, file);
  if (!document.ok) return document;
  const misnamed = [...checkBgpNames(document.value.bgp), ...checkOspf(document.value), ...checkBfd(document.value)];
  if (misnamed.length > 0) return { ok: false, errors: misnamed.map(({ path, expected, found }) => document.error(path, expected, found)) };
  const config = resolveConfig(document.value);
  const checked = checkConfig(config);
  if (checked.errors.length > 0) return { ok: false, errors: checked.errors.map(({ path, expected, found }) => document.error(path, expected, found)) };
  const warnings = checked.warnings.map(({ path, text: warning }) => ({ file, ...document.at(path), field: fieldName(path), text: warning }));
  return { ok: true, config, warnings };
}
