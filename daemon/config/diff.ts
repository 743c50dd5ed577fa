/** What changed between two effective configurations, which part of the router it touches, and whether it can be taken over at run time. */
import { fieldName, HIDDEN, isSecret, type ConfigPath } from './errors.js';
import type { Config } from './types.js';

export type ConfigPart = 'router' | 'interfaces' | 'static' | 'bfd' | 'bgp' | 'ospf' | 'hierarchy' | 'cpn' | 'instances' | 'steering' | 'stamp' | 'registration' | 'dataplane' | 'telemetry' | 'api' | 'log';

/** `now`: nothing visible but the change. `session`: the BGP session of that neighbor ends and starts anew. `restart`: only a restart of cpnd takes it over. */
export type ConfigEffect = 'now' | 'session' | 'restart';

export interface ConfigDifference {
  /** Lists are addressed by what identifies their items: `bgp.neighbors["fc00::1"].as`. */
  readonly field: string;
  /** JSON text of the values, secrets replaced; undefined where there is none. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly part: ConfigPart;
  readonly effect: ConfigEffect;
}

/** Item lists whose items have an identity; other lists are compared as one value. */
const IDENTITIES: Readonly<Record<string, (item: Readonly<Record<string, unknown>>) => string>> = {
  static: ({ prefix, distance }) => `${String(prefix)} distance ${String(distance)}`,
  'bgp.neighbors': ({ address }) => String(address),
  'ospf.interfaces': ({ name }) => String(name),
  'ospf.redistribute': ({ source }) => String(source),
  'cpn.services': ({ id }) => String(id),
  'cpn.instances': ({ service, id }) => `${String(service)} ${String(id)}`,
};

/** First match counts. `*` stands for one step. */
const RULES: readonly (readonly [pattern: string, part: ConfigPart, effect: ConfigEffect])[] = [
  ['router.name', 'router', 'now'],
  ['router.sidBlocks', 'dataplane', 'now'],
  ['router.domainSources', 'dataplane', 'now'],
  ['router', 'router', 'restart'],
  ['interfaces', 'interfaces', 'now'],
  ['static', 'static', 'now'],
  ['bfd', 'bfd', 'now'],
  ['bgp.networks', 'bgp', 'now'],
  ['bgp.vpn', 'bgp', 'now'],
  ['bgp.neighbors.*.description', 'bgp', 'now'],
  ['bgp.neighbors.*.connectRetryMs', 'bgp', 'now'],
  ...['import', 'export', 'cpn', 'cpnAccept', 'maxPrefix', 'group', 'allowAsIn', 'advertisePeerAs', 'removePrivateAs', 'nextHopSelf', 'advertisementIntervalMs', 'bfd'].map((field) => [`bgp.neighbors.*.${field}`, 'bgp', 'now'] as const),
  ['bgp.neighbors', 'bgp', 'session'],
  ['bgp.clusterId', 'bgp', 'now'],
  ['bgp.dynamic', 'bgp', 'now'],
  ['bgp.prefixLists', 'bgp', 'now'],
  ['bgp.asPathLists', 'bgp', 'now'],
  ['bgp.policies', 'bgp', 'now'],
  ['bgp', 'bgp', 'restart'],
  ['ospf.routerId', 'ospf', 'restart'],
  ['ospf.area', 'ospf', 'restart'],
  ['ospf.cpnLsType', 'ospf', 'restart'],
  ...['maxPaths', 'fastReroute', 'spf', 'delayPaths', 'computing'].map((field) => [`ospf.${field}`, 'ospf', 'restart'] as const),
  ['ospf.*', 'ospf', 'now'],
  ['ospf', 'ospf', 'restart'],
  ['cpn.attributeType', 'cpn', 'restart'],
  ['cpn.servicePrefixes', 'cpn', 'restart'],
  ['cpn.services', 'steering', 'now'],
  ['cpn.instances', 'instances', 'now'],
  ['cpn.stamp.port', 'stamp', 'restart'],
  ['cpn.stamp.enabled', 'stamp', 'restart'],
  ['cpn.stamp.links', 'stamp', 'restart'],
  ['cpn.stamp', 'stamp', 'now'],
  ['cpn.announce', 'instances', 'now'],
  ['cpn.model', 'instances', 'now'],
  ['cpn.prediction', 'steering', 'now'],
  ['cpn.restartTimeMs', 'steering', 'now'],
  ['cpn', 'dataplane', 'now'],
  ['hierarchy', 'hierarchy', 'now'],
  ['registration.listen', 'registration', 'restart'],
  ['registration.tls', 'registration', 'restart'],
  ['registration.stateFile', 'registration', 'restart'],
  ['registration.*', 'registration', 'now'],
  ['registration', 'registration', 'restart'],
  ['dataplane.kind', 'dataplane', 'restart'],
  ['dataplane.maxFlows', 'dataplane', 'restart'],
  ['dataplane.maxNewFlows', 'dataplane', 'restart'],
  ['dataplane', 'dataplane', 'now'],
  ['telemetry', 'telemetry', 'now'],
  ['api', 'api', 'restart'],
  ['log', 'log', 'now'],
];

export function diffConfig(before: Config, after: Config): ConfigDifference[] {
  const differences: ConfigDifference[] = [];
  compare([], '', before, after, differences);
  return differences;
}

type Value = Readonly<Record<string, unknown>>;

/** `kind` is the path without array positions, as IDENTITIES names it. */
function compare(path: ConfigPath, kind: string, before: unknown, after: unknown, out: ConfigDifference[]): void {
  const identity = IDENTITIES[kind];
  const left = identity && Array.isArray(before) ? keyed(before as Value[], identity) : before;
  const right = identity && Array.isArray(after) ? keyed(after as Value[], identity) : after;
  if (isMapping(left) && isMapping(right)) {
    for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
      compare([...path, key], kind === '' ? key : `${kind}.${key}`, left[key], right[key], out);
    }
    return;
  }
  if (json(before) === json(after)) return;
  const rule = ruleOf(path);
  out.push({ field: fieldName(path), before: shown(path, before), after: shown(path, after), part: rule[1], effect: rule[2] });
}

const isMapping = (value: unknown): value is Value => typeof value === 'object' && value !== null && !Array.isArray(value);

const keyed = (items: readonly Value[], identity: (item: Value) => string): Value => Object.fromEntries(items.map((item) => [identity(item), item]));

function json(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? String(item) : item));
}

/** A value as others may see it. */
function shown(path: ConfigPath, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (isSecret(path.at(-1))) return JSON.stringify(HIDDEN);
  return JSON.stringify(value, (key, item: unknown) => (isSecret(key) && item !== undefined ? HIDDEN : typeof item === 'bigint' ? String(item) : item));
}

function ruleOf(path: ConfigPath): (typeof RULES)[number] {
  const rule = RULES.find(([pattern]) => pattern.split('.').every((step, i) => i < path.length && (step === '*' || step === path[i])));
  if (!rule) throw new TypeError(`no rule for ${fieldName(path)}`);
  return rule;
}
