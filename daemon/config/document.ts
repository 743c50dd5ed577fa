/** Reads a YAML file of a given shape. Every fault names file, line, column, field and what was expected. */
import { readFileSync } from 'node:fs';
import { LineCounter, isAlias, isCollection, isMap, isScalar, parseDocument, visit, type Document, type Node } from 'yaml';
import type { z } from 'zod';
import { describeValue, fieldName, HIDDEN, isSecret, type ConfigError, type ConfigPath } from './errors.js';
import { nearest } from './nearest.js';

export type DocumentResult<T> =
  | {
      readonly ok: true;
      readonly value: T;
      /** Where a field stands: line and column from 1. */
      readonly at: (path: ConfigPath) => { readonly line: number; readonly column: number };
      /** A fault of a field that is right in shape. */
      readonly error: (path: ConfigPath, expected: string, found?: string) => ConfigError;
    }
  | { readonly ok: false; readonly errors: readonly ConfigError[] };

/** The text of a file; one that cannot be read is an error like any other. */
export function readText(path: string): { readonly ok: true; readonly text: string } | { readonly ok: false; readonly errors: readonly ConfigError[] } {
  try {
    return { ok: true, text: readFileSync(path, 'utf8') };
  } catch (error) {
    return { ok: false, errors: [{ file: path, line: 1, column: 1, field: '', expected: 'a readable file', found: error instanceof Error ? error.message : String(error) }] };
  }
}

/** Checks the shape of a text; `file` is its name in messages. Never throws. */
export function readDocument<S extends z.ZodType>(schema: S, text: string, file: string): DocumentResult<z.output<S>> {
  const lines = new LineCounter();
  let document: Document.Parsed;
  let input: unknown;
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    keepLargeIntegers(document);
    input = document.errors.length === 0 ? document.toJS() : undefined;
  } catch (error) {
    // Aliases that expand without end and nesting deeper than the stack are the only known causes.
    // The name of an unresolved alias may be a password that begins with an asterisk.
    const found = (error instanceof Error ? error.message : String(error)).replace(/^(Unresolved alias[^:]*):.*$/s, '$1; a text that begins with * needs quotes');
    return { ok: false, errors: [{ file, line: 1, column: 1, field: '', expected: 'YAML', found }] };
  }
  const at = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(Math.min(Math.max(offset, 0), text.length));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (document.errors.length > 0) {
    const errors = document.errors.map(({ code, message, pos }) => ({
      file,
      ...at(pos[0]),
      field: '',
      expected: code === 'DUPLICATE_KEY' ? 'each field once' : 'YAML',
      found: code === 'DUPLICATE_KEY' ? `a second ${describeValue(keyAt(text, pos[0]))}` : message + colonHint(text, pos[0]),
    }));
    return { ok: false, errors };
  }
  const error = (path: ConfigPath, expected: string, found?: string): ConfigError => {
    const { offset, node } = locate(document, path);
    return { file, ...at(offset), field: fieldName(path), expected, found: found ?? (isSecret(path.at(-1)) && node ? HIDDEN : describeNode(node)) };
  };

  const shaped = schema.safeParse(input ?? {});
  if (!shaped.success) return { ok: false, errors: shaped.error.issues.flatMap((issue) => shapeErrors(schema, issue).map(({ path, expected, found }) => error(path, expected, found))) };
  return { ok: true, value: shaped.data, at: (path) => at(locate(document, path).offset), error };
}

/** A double holds integers up to 2^53 only; operations per second go beyond. */
function keepLargeIntegers(document: Document.Parsed): void {
  visit(document, {
    Scalar: (_key, node) => {
      if (typeof node.value === 'number' && !Number.isSafeInteger(node.value) && /^\d{1,40}$/.test(node.source ?? '')) node.value = BigInt(node.source!);
    },
  });
}

/** The word at an offset, for the message about a repeated key. */
function keyAt(text: string, offset: number): string {
  return /^["']?([^\s"':,{}]+(?::[^\s"':,{}]+)*)/.exec(text.slice(offset, offset + 100))?.[1] ?? '';
}

const COLON_HINT = 'an address that ends in a colon needs quotes';

/** YAML reads a plain `fc00::` as the key `fc00:` of a mapping. */
function colonHint(text: string, offset: number): string {
  const end = text.indexOf('\n', offset);
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, end < 0 ? undefined : end);
  return /[\da-fA-F]::(\s|[,}\]]|$)/.test(line) ? ` (${COLON_HINT})` : '';
}

function shapeErrors(schema: z.ZodType, issue: z.core.$ZodIssue): { path: ConfigPath; expected: string; found?: string }[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  if (issue.code === 'unrecognized_keys') {
    const known = knownFields(schema, path);
    return issue.keys.map((key) => {
      const guess = nearest(key, known);
      return { path: [...path, key], expected: guess === undefined ? `one of the fields ${known.join(', ')}` : `a known field; did you mean ${guess}?`, found: `the unknown field ${key}` };
    });
  }
  if (issue.code === 'invalid_key') return [{ path, expected: issue.issues[0]?.message ?? issue.message, found: `the key ${describeValue(path.at(-1))}` }];
  return [{ path, expected: issue.message }];
}

/** Fields that the schema has at a path. */
function knownFields(root: z.ZodType, path: ConfigPath): string[] {
  let schema: z.core.$ZodType | undefined = root;
  for (const step of path) {
    const definition = unwrap(schema);
    if (definition?.type === 'object') schema = definition.shape[String(step)];
    else if (definition?.type === 'array') schema = definition.element;
    else if (definition?.type === 'record') schema = definition.valueType;
    else return [];
  }
  const definition = unwrap(schema);
  return definition?.type === 'object' ? Object.keys(definition.shape) : [];
}

type Definition = z.core.$ZodObjectDef | z.core.$ZodArrayDef | z.core.$ZodRecordDef;
type Wrapper = z.core.$ZodDefaultDef | z.core.$ZodPrefaultDef | z.core.$ZodOptionalDef | z.core.$ZodUnionDef;

function unwrap(schema: z.core.$ZodType | undefined): Definition | undefined {
  let definition = schema?._zod.def as Definition | Wrapper | undefined;
  for (;;) {
    if (definition && 'innerType' in definition) definition = definition.innerType._zod.def as Definition | Wrapper;
    // Of the forms a value may have, only a mapping has fields.
    else if (definition?.type === 'union') definition = definition.options.find((option) => option._zod.def.type === 'object')?._zod.def as Definition | undefined;
    else return definition;
  }
}

/** The node at a path, or the deepest one above it that the file has; for a key of a mapping, the key. */
function locate(document: Document.Parsed, path: ConfigPath): { offset: number; node: Node | undefined } {
  let node: Node | undefined = document.contents ?? undefined;
  let offset = node?.range?.[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (!isCollection(node)) return { offset, node: undefined };
    if (isMap(node)) {
      const pair: (typeof node.items)[number] | undefined = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (!pair) return { offset, node: undefined };
      const key = pair.key as Node;
      node = (pair.value ?? undefined) as Node | undefined;
      offset = (isScalar(node) && node.value !== null ? node.range?.[0] : key.range?.[0]) ?? offset;
    } else {
      node = node.items[Number(step)] as Node | undefined;
      offset = node?.range?.[0] ?? offset;
    }
  }
  return { offset, node };
}

function describeNode(node: Node | undefined): string {
  if (isScalar(node)) return describeValue(node.value);
  if (isMap(node) && node.items.some(({ key }) => isScalar(key) && String(key.value).includes(':'))) return `a mapping (${COLON_HINT})`;
  if (isCollection(node)) return isMap(node) ? 'a mapping' : 'a list';
  return node === undefined ? 'nothing' : 'an alias';
}
