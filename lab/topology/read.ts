/** Reads a containerlab topology file (`*.clab.yml`). */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { fieldText, TopologyError, YamlDocument, type FieldPath, type Problem } from './document.js';
import { resolveLinks } from './links.js';
import {
  endpointFields, fileFields, fileSchema, linkFields, nodeFields, silentFields, topologyFields,
  type Fields, type FileDefinition, type NodeDefinition,
} from './schema.js';
import type { Bind, NodeKind, Topology, TopologyNode } from './topology.js';
import { splitWords } from './words.js';

export interface ReadOptions {
  /** Runs the topology under another lab name than the file's. */
  readonly name?: string;
  /** Values of `${NAME}` in the file. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** As containerlab: `${NAME}`, `${NAME:-default}` and `${NAME:=default}`; what is not set and has no default stays as it is. */
function substitute(text: string, environment: Readonly<Record<string, string | undefined>>): string {
  return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)(?::[-=]([^}\n]*))?\}/g, (whole, name: string, fallback: string | undefined) => {
    const value = environment[name];
    return value !== undefined && value !== '' ? value : (fallback ?? whole);
  });
}

/** One file being read: collects problems and warnings. */
class Reading {
  readonly problems: Problem[] = [];
  readonly warnings: string[] = [];

  constructor(
    readonly file: string,
    private readonly document: YamlDocument,
  ) {}

  readonly report = (path: FieldPath, message: string, atKey = false): void => {
    this.problems.push({ line: this.document.line(path, atKey), field: fieldText(path), message });
  };

  checkFields(value: unknown, path: FieldPath, fields: Fields): void {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      if (fields.used.includes(key)) continue;
      if (!fields.ignored.includes(key)) this.report([...path, key], `unknown field; expected one of ${[...fields.used, ...fields.ignored].join(', ')}`, true);
      else if (!silentFields.has(key)) this.warnings.push(`${this.file}:${this.document.line([...path, key], true)}: ${fieldText([...path, key])} has no effect on namespaces`);
    }
  }

  checkAllFields(definition: FileDefinition): void {
    const { topology } = definition;
    this.checkFields(definition, [], fileFields);
    this.checkFields(topology, ['topology'], topologyFields);
    this.checkFields(topology.defaults, ['topology', 'defaults'], nodeFields);
    for (const section of ['kinds', 'groups', 'nodes'] as const) {
      for (const [name, node] of Object.entries(topology[section] ?? {})) this.checkFields(node, ['topology', section, name], nodeFields);
    }
    for (const [i, link] of (topology.links ?? []).entries()) {
      this.checkFields(link, ['topology', 'links', i], linkFields);
      for (const [j, endpoint] of link.endpoints.entries()) this.checkFields(endpoint, ['topology', 'links', i, 'endpoints', j], endpointFields);
    }
  }

  finish(): void {
    if (this.problems.length > 0) throw new TopologyError(this.file, this.problems);
  }
}

/** Where a node's settings come from, from the least to the most specific, as containerlab merges them. */
interface Layer {
  readonly path: FieldPath;
  readonly definition: NodeDefinition;
}

function resolveNode(name: string, definition: FileDefinition, lab: string, reading: Reading): TopologyNode | undefined {
  const { topology } = definition;
  const own: Layer = { path: ['topology', 'nodes', name], definition: topology.nodes[name] ?? {} };
  const defaults: Layer = { path: ['topology', 'defaults'], definition: topology.defaults ?? {} };
  const groupName = own.definition.group ?? defaults.definition.group;
  if (own.definition.group !== undefined && topology.groups && !(own.definition.group in topology.groups)) {
    reading.report([...own.path, 'group'], `unknown group "${own.definition.group}"; expected one of ${Object.keys(topology.groups).join(', ')}`);
  }
  const group: Layer = { path: ['topology', 'groups', groupName ?? ''], definition: (groupName !== undefined ? topology.groups?.[groupName] : undefined) ?? {} };
  const kindLayer = [own, group, defaults].find((layer) => layer.definition.kind !== undefined);
  const kind = kindLayer?.definition.kind;
  if (kind !== 'linux' && kind !== 'bridge') {
    if (kindLayer) reading.report([...kindLayer.path, 'kind'], `kind "${String(kind)}" cannot run on namespaces; expected linux or bridge`);
    else reading.report(own.path, 'no kind; expected kind: linux or kind: bridge here, in its group or in defaults', true);
    return undefined;
  }
  const layers: Layer[] = [defaults, { path: ['topology', 'kinds', kind], definition: topology.kinds?.[kind] ?? {} }, group, own];

  const directory = dirname(reading.file);
  const fill = (text: string): string =>
    text
      .replaceAll('__clabNodeName__', name)
      .replaceAll('__clabLabName__', `clab-${lab}`)
      .replaceAll('__clabNodeDir__', resolve(directory, `clab-${lab}`, name))
      .replaceAll('__clabDir__', resolve(directory, `clab-${lab}`));
  const last = <K extends keyof NodeDefinition>(key: K): NodeDefinition[K] | undefined => layers.findLast((l) => l.definition[key] !== undefined)?.definition[key];
  const merged = (key: 'env' | 'sysctls' | 'labels'): Record<string, string> =>
    Object.fromEntries(layers.flatMap((l) => Object.entries(l.definition[key] ?? {}).map(([k, v]) => [k, fill(v)] as const)));

  return {
    name,
    kind,
    image: last('image') ?? '',
    cmd: last('cmd'),
    hostname: last('hostname') ?? name,
    group: groupName ?? '',
    binds: resolveBinds(layers, fill, reading),
    exec: layers.flatMap((layer) =>
      (layer.definition.exec ?? []).map((line, i) => {
        if (splitWords(line) === undefined) reading.report([...layer.path, 'exec', i], 'a quote is not closed; expected a command line');
        return fill(line);
      }),
    ),
    env: { ...resolveEnvFiles(layers, reading), ...merged('env') },
    sysctls: merged('sysctls'),
    labels: merged('labels'),
    startupDelay: last('startup-delay') ?? 0,
  } satisfies TopologyNode & { kind: NodeKind };
}

/** `source:target[:options]`, or `path` alone for an empty volume, which namespaces have anyway. The most specific wins for a target. */
function resolveBinds(layers: readonly Layer[], fill: (text: string) => string, reading: Reading): Bind[] {
  const binds = new Map<string, Bind>();
  for (const layer of layers) {
    for (const [i, text] of (layer.definition.binds ?? []).entries()) {
      const path = [...layer.path, 'binds', i];
      const [from, target, options = '', ...more] = fill(text).split(':');
      if (target === undefined || from === '' || !target.startsWith('/') || more.length > 0) {
        reading.report(path, `expected "source:/absolute/target[:ro]", found "${text}"`);
        continue;
      }
      const source = resolve(dirname(reading.file), from!.replace(/^~(?=\/|$)/, homedir()));
      if (!existsSync(source)) reading.report(path, `${source} does not exist; expected a file or folder, relative to the topology file`);
      binds.set(target, { source, target, readOnly: options.split(',').includes('ro') });
    }
  }
  return [...binds.values()];
}

function resolveEnvFiles(layers: readonly Layer[], reading: Reading): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const layer of layers) {
    for (const [i, name] of (layer.definition['env-files'] ?? []).entries()) {
      const file = resolve(dirname(reading.file), name);
      if (!existsSync(file)) {
        reading.report([...layer.path, 'env-files', i], `${file} does not exist; expected a file of NAME=value lines`);
        continue;
      }
      for (const line of readFileSync(file, 'utf8').split('\n')) {
        const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line);
        if (match) environment[match[1]!] = match[2]!.replace(/^(["'])(.*)\1\s*$/, '$2');
      }
    }
  }
  return environment;
}

/** Reads topology text; `file` (absolute) names it in errors and anchors relative paths. Throws TopologyError with every problem found. */
export function parseTopology(text: string, file: string, options: ReadOptions = {}): Topology {
  const document = new YamlDocument(substitute(text, options.environment ?? process.env));
  const reading = new Reading(file, document);
  reading.problems.push(...document.syntaxProblems());
  reading.finish();

  const parsed = fileSchema.safeParse(document.value());
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const path = issue.path.filter((part) => typeof part !== 'symbol');
      reading.report(path, issue.code === 'invalid_key' ? issue.issues.map((i) => i.message).join('; ') : issue.message);
    }
    reading.finish();
  }
  const definition = parsed.data!;
  const lab = options.name ?? definition.name;
  reading.checkAllFields(definition);

  const nodes = new Map<string, TopologyNode>();
  for (const name of Object.keys(definition.topology.nodes)) {
    const node = resolveNode(name, definition, lab, reading);
    if (node) nodes.set(name, node);
  }
  const links = resolveLinks(lab, definition.topology.links ?? [], new Set(Object.keys(definition.topology.nodes)), reading.report);
  reading.finish();
  return { name: lab, file, nodes, links, warnings: reading.warnings };
}

/** Reads a topology file. Throws TopologyError (also where the file cannot be read). */
export function readTopology(path: string, options: ReadOptions = {}): Topology {
  const file = resolve(path);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new TopologyError(file, [{ line: 1, field: '', message: `cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}` }]);
  }
  return parseTopology(text, file, options);
}
