/**
 * All policies of a router by name, with how often each rule was used. A neighbour's import or export is a list of them: the rules of each
 * are tried in order, an accept or a reject ends it, `continue` goes on with the changed route, and a route that none decides is rejected.
 */
import type { PolicyConfig } from '../../config/schema/bgp-policy.js';
import type { PathAttributes } from '../wire/types.js';
import { compileConditions, type Condition, type NamedLists, type PolicyRoute } from './conditions.js';
import { compileSettings, type NextHopSetting, type Setter } from './settings.js';

export interface PolicyBookConfig extends NamedLists {
  readonly policies: Readonly<Record<string, PolicyConfig>>;
}

type Action = PolicyConfig['default'];

export interface Verdict {
  readonly accepted: boolean;
  readonly attributes: PathAttributes;
  readonly nextHop: NextHopSetting | undefined;
  /** The rule that decided, in words. */
  readonly by: string;
}

/** One rule that was looked at, for operators. */
export interface TraceStep {
  readonly policy: string;
  /** From 1; 0 is the default of the policy. */
  readonly rule: number;
  readonly name: string;
  readonly matched: boolean;
  /** The first condition that did not hold. */
  readonly unmet: string | undefined;
  readonly action: Action;
}

interface Rule {
  readonly label: string;
  readonly name: string;
  readonly conditions: readonly Condition[];
  /** None of a route that meets all of these. */
  readonly exceptions: readonly Condition[];
  readonly set: Setter | undefined;
  readonly nextHop: NextHopSetting | undefined;
  readonly action: Action;
}

interface Policy {
  readonly name: string;
  readonly rules: readonly Rule[];
  readonly default: Action;
  readonly hits: Hits;
}

/** How often each rule, and at index 0 the default, decided about a route or changed it. */
type Hits = number[];

export interface PolicyView {
  readonly name: string;
  readonly description: string;
  readonly hits: number;
  readonly default: Action;
  readonly rules: readonly { readonly rule: number; readonly name: string; readonly match: string; readonly set: string; readonly action: Action; readonly hits: number }[];
}

/** The policies of one direction of one neighbour. */
export class PolicyChain {
  constructor(
    private readonly policies: readonly Policy[],
    /** Whether the cost of next hops matters, which may change while the best path stays. */
    readonly usesNextHopCost: boolean,
  ) {}

  evaluate(route: PolicyRoute, attributes: PathAttributes): Verdict {
    return this.run(route, attributes, undefined);
  }

  /** The same without counting, with every rule that was looked at. */
  trace(route: PolicyRoute, attributes: PathAttributes): Verdict & { readonly steps: readonly TraceStep[] } {
    const steps: TraceStep[] = [];
    return { ...this.run(route, attributes, steps), steps };
  }

  private run(route: PolicyRoute, received: PathAttributes, steps: TraceStep[] | undefined): Verdict {
    let attributes = received;
    let nextHop: NextHopSetting | undefined;
    for (const policy of this.policies) {
      for (const [index, rule] of policy.rules.entries()) {
        const unmet = unmetCondition(rule, route, attributes);
        steps?.push({ policy: policy.name, rule: index + 1, name: rule.name, matched: unmet === undefined, unmet, action: rule.action });
        if (unmet !== undefined) continue;
        if (!steps) policy.hits[index + 1]!++;
        if (rule.action === 'reject') return { accepted: false, attributes, nextHop, by: rule.label };
        if (rule.set) attributes = rule.set(route, attributes);
        nextHop = rule.nextHop ?? nextHop;
        if (rule.action === 'accept') return { accepted: true, attributes, nextHop, by: rule.label };
      }
      steps?.push({ policy: policy.name, rule: 0, name: 'default', matched: true, unmet: undefined, action: policy.default });
      if (!steps) policy.hits[0]!++;
      if (policy.default !== 'continue') return { accepted: policy.default === 'accept', attributes, nextHop, by: `${policy.name} default` };
    }
    return { accepted: false, attributes, nextHop, by: 'no policy decided' };
  }
}

function unmetCondition(rule: Rule, route: PolicyRoute, attributes: PathAttributes): string | undefined {
  for (const { name, holds } of rule.conditions) if (!holds(route, attributes)) return name;
  const { exceptions } = rule;
  return exceptions.length > 0 && exceptions.every(({ holds }) => holds(route, attributes)) ? 'not' : undefined;
}

export class PolicyBook {
  private readonly hits = new Map<string, Hits>();
  /** Compiled policies by name and the AS that is prepended by default: what they remember is shared by all neighbours. */
  private readonly compiled = new Map<string, Policy>();
  private readonly chains = new Map<string, PolicyChain>();

  constructor(private readonly config: PolicyBookConfig) {
    for (const [name, { rules }] of Object.entries(config.policies)) this.hits.set(name, new Array<number>(rules.length + 1).fill(0));
  }

  /** Throws TypeError for a name the configuration does not have, which its check refuses. */
  chain(names: readonly string[], defaultPrependAs: number): PolicyChain {
    // One chain for all who name it so: update groups tell rules apart by identity.
    const key = `${defaultPrependAs} ${names.join(' ')}`;
    let chain = this.chains.get(key);
    if (!chain) {
      const usesCost = names.some((name) => this.config.policies[name]?.rules.some(({ set }) => set.med === 'igp') ?? false);
      this.chains.set(key, (chain = new PolicyChain(names.map((name) => this.policy(name, defaultPrependAs)), usesCost)));
    }
    return chain;
  }

  /** All policies, or one; undefined when there is none of this name. */
  views(name: string | undefined): PolicyView[] | undefined {
    if (name !== undefined && !this.hits.has(name)) return undefined;
    return Object.entries(this.config.policies)
      .filter(([other]) => name === undefined || other === name)
      .map(([policy, config]) => policyView(policy, config, this.hits.get(policy)!));
  }

  private policy(name: string, defaultPrependAs: number): Policy {
    const key = `${defaultPrependAs} ${name}`;
    const existing = this.compiled.get(key);
    if (existing) return existing;
    const config = this.config.policies[name];
    const hits = this.hits.get(name);
    if (!config || !hits) throw new TypeError(`no policy ${name}`);
    const rules = config.rules.map(({ match, set, action, name: ruleName }, index): Rule => {
      const { not, ...conditions } = match;
      return {
        label: `${name} rule ${index + 1}${ruleName === undefined ? '' : ` (${ruleName})`}`,
        name: ruleName ?? '',
        conditions: compileConditions(conditions, this.config),
        exceptions: not ? compileConditions(not, this.config) : [],
        set: compileSettings(set, defaultPrependAs),
        nextHop: set.nextHop,
        action,
      };
    });
    const policy: Policy = { name, rules, default: config.default, hits };
    this.compiled.set(key, policy);
    return policy;
  }
}

/** Fields in few words, as the file has them. */
function words(fields: object): string {
  return Object.entries(fields)
    .flatMap(([field, value]) => (value === undefined ? [] : [`${field} ${valueWords(value)}`]))
    .join(', ');
}

function valueWords(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueWords).join(' | ');
  if (typeof value !== 'object' || value === null) return String(value);
  if ('permit' in value && 'ge' in value) {
    const { prefix, ge, le, permit } = value as { prefix: string; ge: number; le: number; permit: boolean };
    const length = Number(prefix.slice(prefix.indexOf('/') + 1));
    const bounds = ge === length && le === length ? '' : `${ge === length ? '' : ` ge ${ge}`} le ${le}`;
    return `${permit ? '' : 'deny '}${prefix}${bounds}`;
  }
  if ('min' in value && 'max' in value) return value.min === value.max ? String(value.min) : `${String(value.min)}-${String(value.max)}`;
  return `(${words(value)})`;
}

function policyView(name: string, { description, rules, default: last }: PolicyConfig, hits: Hits): PolicyView {
  return {
    name,
    description,
    hits: hits[0]!,
    default: last,
    rules: rules.map((rule, index) => ({ rule: index + 1, name: rule.name ?? '', match: words(rule.match), set: words(rule.set), action: rule.action, hits: hits[index + 1]! })),
  };
}
