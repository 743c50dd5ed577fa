import type { Command } from 'commander';
import type { Session } from '../session.js';

export function showBgpPolicy(bgp: Command, session: Session): void {
  bgp
    .command('policy')
    .description('policies with how often each rule was used, or one of them')
    .argument('[name]', 'policy')
    .action(async (name: string | undefined) => {
      const { policies } = await session.call((methods) => methods.bgpPolicyMethods.listBgpPolicies, { name });
      await session.answer(policies, async () => {
        const { table } = await import('../table.js');
        const rows = policies.flatMap((policy) => [
          ...policy.rules.map((rule, index) => [index === 0 ? policy.name : ' ', rule.rule, rule.name, rule.match === '' ? 'any route' : rule.match, rule.set, rule.action, rule.hits]),
          [policy.rules.length === 0 ? policy.name : ' ', 'default', ' ', 'any route', ' ', policy.defaultAction, policy.defaultHits],
        ]);
        return table(['POLICY', 'RULE', 'NAME', 'MATCH', 'SET', 'ACTION', 'HITS'], rows, 'no policies');
      });
    });
}
