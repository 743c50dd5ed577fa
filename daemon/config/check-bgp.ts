/** Names in the BGP part of a file: groups, policies and lists must exist, groups must end somewhere, and every neighbor needs an AS. */
import type { Finding } from './check.js';
import type { ConfigPath } from './errors.js';
import { nearest } from './nearest.js';
import { groupChain } from './resolve-bgp.js';
import type { FileConfig } from './schema.js';
import type { PolicyConditions } from './schema/bgp-policy.js';

type FileBgp = NonNullable<FileConfig['bgp']>;
type Filter = FileBgp['neighbors'][number]['import'];

/** Checked before defaults are filled in: the way to them goes by these names. */
export function checkBgpNames(bgp: FileBgp | undefined): Finding[] {
  if (!bgp) return [];
  const check = new NameCheck(bgp);
  check.policies();
  check.groups();
  check.neighbors();
  check.dynamic();
  return check.findings;
}

class NameCheck {
  readonly findings: Finding[] = [];

  constructor(private readonly bgp: FileBgp) {}

  private refuse(path: ConfigPath, expected: string, found: string): void {
    this.findings.push({ path, expected, found });
  }

  private known(path: ConfigPath, name: string, what: string, names: object): void {
    if (Object.hasOwn(names, name)) return;
    const guess = nearest(name, Object.keys(names));
    const others = Object.keys(names).slice(0, 10).join(', ');
    const hint = guess !== undefined ? `did you mean ${guess}?` : others === '' ? 'there is none' : `there are ${others}`;
    this.refuse(path, `the name of ${what} (${hint})`, name);
  }

  policies(): void {
    for (const [name, { rules }] of Object.entries(this.bgp.policies)) {
      rules.forEach(({ match: { not, ...conditions } }, index) => {
        const path = ['bgp', 'policies', name, 'rules', index, 'match'];
        this.conditions(path, conditions);
        if (not) this.conditions([...path, 'not'], not);
      });
    }
  }

  private conditions(path: ConfigPath, { prefixList, asPathList }: PolicyConditions): void {
    for (const name of prefixList ?? []) this.known([...path, 'prefixList'], name, 'a prefix list of bgp.prefixLists', this.bgp.prefixLists);
    for (const name of asPathList ?? []) this.known([...path, 'asPathList'], name, 'an AS-path list of bgp.asPathLists', this.bgp.asPathLists);
  }

  groups(): void {
    for (const [name, group] of Object.entries(this.bgp.groups)) {
      const path = ['bgp', 'groups', name];
      this.filters(path, group.import, group.export);
      if (group.group === undefined) continue;
      this.group([...path, 'group'], group.group);
      const chain = groupChain(this.bgp.groups, group.group);
      if (chain.includes(name)) this.refuse([...path, 'group'], 'groups that do not lead back to themselves', [name, ...chain.slice(0, chain.indexOf(name) + 1)].join(' -> '));
    }
  }

  private group(path: ConfigPath, name: string): void {
    this.known(path, name, 'a group of bgp.groups', this.bgp.groups);
  }

  private filters(path: ConfigPath, imported: Filter, exported: Filter): void {
    for (const [field, filter] of [['import', imported], ['export', exported]] as const) {
      if (typeof filter !== 'object' || !('policy' in filter)) continue;
      const at = [...path, field, 'policy'];
      for (const name of filter.policy) {
        this.known(at, name, 'a policy of bgp.policies', this.bgp.policies);
        if (field === 'import') this.exportOnly(at, name);
      }
    }
  }

  /** What a rule says about the next hop of routes that go out means nothing for those that come in. */
  private exportOnly(path: ConfigPath, name: string): void {
    const rules = Object.hasOwn(this.bgp.policies, name) ? this.bgp.policies[name]!.rules : [];
    rules.forEach(({ set }, index) => {
      if (set.nextHop !== undefined) this.refuse(path, 'a policy without set.nextHop, which is for export only', `${name}, whose rule ${index + 1} sets it`);
      if (set.med === 'igp') this.refuse(path, 'a policy without "med: igp", which is for export only', `${name}, whose rule ${index + 1} sets it`);
    });
  }

  private asOf(group: string | undefined): number | undefined {
    return groupChain(this.bgp.groups, group)
      .map((name) => this.bgp.groups[name]!.as)
      .find((as) => as !== undefined);
  }

  neighbors(): void {
    this.bgp.neighbors.forEach((neighbor, index) => {
      const path = ['bgp', 'neighbors', index];
      if (neighbor.group !== undefined) this.group([...path, 'group'], neighbor.group);
      this.filters(path, neighbor.import, neighbor.export);
      if (neighbor.as === undefined && this.asOf(neighbor.group) === undefined) this.refuse([...path, 'as'], 'an AS number, here or in the group', 'nothing');
    });
  }

  dynamic(): void {
    this.bgp.dynamic.forEach(({ group, as }, index) => {
      const path = ['bgp', 'dynamic', index];
      if (group !== undefined) this.group([...path, 'group'], group);
      if (as === undefined && this.asOf(group) === undefined) this.refuse([...path, 'as'], 'an AS number or a list of them, here or in the group', 'nothing');
    });
  }
}
