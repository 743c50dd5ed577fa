import type { Command } from 'commander';
import type { BgpPolicyVerdict } from '../../daemon/northbound/policy-views.js';
import { address, prefix, whole } from '../arguments.js';
import { EXIT_NO } from '../exit.js';
import type { Session } from '../session.js';

interface TestOptions {
  readonly prefix: string;
  readonly nextHop?: string;
  readonly asPath?: string;
  readonly community?: readonly string[];
  readonly extendedCommunity?: readonly string[];
  readonly largeCommunity?: readonly string[];
  readonly med?: number;
  readonly localPref?: number;
  readonly origin: string;
  readonly source: string;
  readonly peer?: string;
}

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

/** `cpnctl bgp policy test NAME`: exit status 1 when the route is rejected. */
export function bgpPolicyTest(bgp: Command, session: Session): void {
  bgp
    .command('policy')
    .description('try policies')
    .command('test')
    .description('what a policy would do to a route, and by which rule; exit status 1 when it rejects it')
    .argument('<name>', 'policy')
    .requiredOption('--prefix <prefix>', 'prefix of the route', prefix)
    .option('--next-hop <address>', 'next hop', address)
    .option('--as-path <path>', 'AS path such as "65001 65002 {65003,65004}"')
    .option('--community <community>', 'standard community, once each', collect)
    .option('--extended-community <community>', 'extended community such as rt:65000:100, once each', collect)
    .option('--large-community <community>', 'large community, once each', collect)
    .option('--med <metric>', 'MED', whole(0))
    .option('--local-pref <preference>', 'LOCAL_PREF', whole(0))
    .option('--origin <origin>', 'igp, egp or incomplete', 'igp')
    .option('--source <source>', 'local, ibgp or ebgp', 'ebgp')
    .option('--peer <address>', 'neighbor the route came from', address)
    .action(async (name: string, options: TestOptions) => {
      const answer = await session.call((methods) => methods.bgpPolicyMethods.testBgpPolicy, {
        name,
        prefix: options.prefix,
        nextHop: options.nextHop ?? '',
        asPath: options.asPath ?? '',
        communities: options.community ?? [],
        extendedCommunities: options.extendedCommunity ?? [],
        largeCommunities: options.largeCommunity ?? [],
        med: options.med,
        localPref: options.localPref,
        origin: options.origin,
        source: options.source,
        peer: options.peer ?? '',
      });
      if (!answer.accepted) session.exitStatus = EXIT_NO;
      await session.answer(answer, () => describe(answer));
    });
}

function describe(verdict: BgpPolicyVerdict): string {
  const steps = verdict.steps.map(({ rule, name, matched, unmet, action }) => {
    const label = rule === 0 ? 'default' : `rule ${rule}${name === '' ? '' : ` (${name})`}`;
    return `  ${label}: ${matched ? action : `not met: ${unmet ?? ''}`}`;
  });
  const values: readonly (readonly [string, string | number | undefined])[] = [
    ['local preference', verdict.localPref],
    ['MED', verdict.med],
    ['AS path', verdict.asPath],
    ['origin', verdict.origin],
    ['next hop', verdict.nextHop],
    ['communities', [...verdict.communities, ...verdict.extendedCommunities, ...verdict.largeCommunities].join(' ')],
  ];
  const shown = values.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`  ${name}: ${value}`]));
  return [`${verdict.accepted ? 'accepted' : 'rejected'} by ${verdict.by}`, ...steps, ...(verdict.accepted ? ['the route then has', ...shown] : [])].join('\n');
}
