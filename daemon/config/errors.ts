/** Faults of a configuration file and how they read. */
export interface ConfigError {
  readonly file: string;
  /** Line and column in the file, from 1. */
  readonly line: number;
  readonly column: number;
  /** Path of the field, e.g. `cpn.instances[0].sid`; empty for the file as a whole. */
  readonly field: string;
  readonly expected: string;
  /** What stands there; `nothing` for a missing field. */
  readonly found: string;
}

export type ConfigPath = readonly (string | number)[];

/** `['cpn', 'instances', 0, 'sid']` -> `cpn.instances[0].sid`; keys that are no plain words are quoted. */
export function fieldName(path: ConfigPath): string {
  let name = '';
  for (const step of path) {
    if (typeof step === 'number') name += `[${step}]`;
    else if (/^[\w-]+$/.test(step)) name += name === '' ? step : `.${step}`;
    else name += `[${JSON.stringify(step)}]`;
  }
  return name;
}

/** What stands for the value of a secret wherever values are shown. */
export const HIDDEN = '(hidden)';

/** Whether the field of this name holds a secret. */
export const isSecret = (field: string | number | undefined): boolean => field === 'password';

/** A value in few words. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'an empty value';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** One line an error: `file:line:column: field: expected ..., found ...`. */
export function formatConfigErrors(errors: readonly ConfigError[]): string {
  return errors
    .map(({ file, line, column, field, expected, found }) => `${file}:${line}:${column}: ${field === '' ? '' : `${field}: `}expected ${expected}, found ${found}`)
    .join('\n');
}
