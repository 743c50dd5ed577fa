import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { neighbor } from '../daemon/bgp/network.js';
import { policiesOf } from '../daemon/bgp/policy/policies.js';
import { eventually, has, isRoot, startFrr, withLab } from './bgp-lab.js';

const as = 65000;
const reflector = (index: number): string => `2001:db8:${index}::ff`;
const client = (index: number): string => `2001:db8:${index}::1`;
const ours = '2001:db8:a::/48';
const ofFrr = '2001:db8:f::/48';
const ofBird = '2001:db8:b::/48';

const frrConfiguration = `hostname frr
router bgp ${as}
 bgp router-id 10.0.0.1
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor ${reflector(1)} remote-as ${as}
 neighbor ${reflector(1)} timers connect 1
 address-family ipv6 unicast
  network ${ofFrr} route-map tag
  neighbor ${reflector(1)} activate
 exit-address-family
route-map tag permit 10
 set community 65000:80
 set large-community 65000:1:2
 set extcommunity rt 65000:7
`;

const birdConfiguration = `router id 10.0.0.2;
log stderr all;
protocol device {}
protocol static { ipv6; route ${ofBird} unreachable; }
protocol bgp reflector1 {
  local ${client(2)} as ${as};
  neighbor ${reflector(2)} as ${as};
  multihop 2;
  ttl security yes;
  connect retry time 1;
  error wait time 1, 2;
  ipv6 { import all; export all; import table on; };
}
`;

const policies = `  policies:
    in:
      default: accept
      rules:
        - {name: backup, match: {community: "65000:80", largeCommunity: "65000:1:*", extendedCommunity: "rt:65000:7"}, set: {localPreference: 80, community: {add: "65000:1"}}}
`;

describe('Route reflection', { skip: !isRoot || !has('/usr/lib/frr/bgpd') || !has('/usr/sbin/bird') }, () => {
  test('here gives FRR, BIRD and a speaker of ours, dynamic neighbours all, the routes of each other with ORIGINATOR_ID, CLUSTER_LIST and policy', () =>
    withLab('policy-rr', async (lab) => {
      const clients = ['frr', 'bird', 'ours'];
      lab.node('rr');
      clients.forEach((name, index) => {
        lab.node(name);
        lab.link(name, client(index + 1), 'rr', reflector(index + 1));
        lab.exec(name, 'ip', '-6', 'route', 'add', '2001:db8::/32', 'via', reflector(index + 1));
      });
      lab.exec('rr', 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
      const template = neighbor('2001:db8::', '::', as, { passive: true, routeReflectorClient: true, cpn: true, import: { policy: ['in'] }, minimumTtl: 255 });
      const rr = lab.speaker('rr', {
        config: { as, listen: { addresses: ['::'], port: 179 }, networks: [], neighbors: [], clusterId: '10.0.0.100', dynamic: [{ prefix: '2001:db8::/32', limit: 3, templates: [template] }], ...policiesOf(policies) },
        router: { id: '10.0.0.99', loopback: reflector(1) },
        servicePrefixes: ['2001:db8:5e::/48'],
      });
      const vtysh = startFrr(lab, 'frr', frrConfiguration);
      const socket = `${lab.directory}/bird.ctl`;
      lab.start('bird', ['/usr/sbin/bird', '-f', '-c', lab.file('bird.conf', birdConfiguration), '-s', socket]);
      /** All that BIRD knows of a prefix; empty when it knows nothing. */
      const atBird = (prefix: string): string => lab.exec('bird', 'birdc', '-s', socket, 'show', 'route', 'all').split(/^(?=\S+\/\d+ )/m).find((block) => block.startsWith(`${prefix} `)) ?? '';
      const speaker = lab.speaker('ours', {
        config: { as, listen: { addresses: [], port: 179 }, networks: [], neighbors: [neighbor(reflector(3), client(3), as, { connectRetryMs: 1000 })] },
        router: { id: '10.0.0.3', loopback: client(3) },
        servicePrefixes: [],
      });
      await speaker.established(reflector(3));
      await speaker.run({ do: 'announce', routes: [{ prefix: ours, med: 5 }] });

      // At ours: of FRR with what the policy set, of BIRD.
      const seen = await eventually('the routes of FRR and BIRD at ours', async () => {
        const { routes } = await speaker.show();
        const found = [ofFrr, ofBird].map((prefix) => routes.find((route) => route.prefix === prefix));
        return found[0] && found[1] ? ([found[0], found[1]] as const) : undefined;
      });
      assert.deepEqual(
        seen.map(({ nextHop, originatorId, clusterList, localPref }) => [nextHop, originatorId, clusterList, localPref]),
        [[client(1), '10.0.0.1', ['10.0.0.100'], 80], [client(2), '10.0.0.2', ['10.0.0.100'], 100]],
      );
      assert.deepEqual([seen[0].communities, seen[0].extendedCommunities, seen[0].largeCommunities], [['65000:80', '65000:1'], ['rt:65000:7'], ['65000:1:2']]);

      // At FRR: ours and BIRD's.
      for (const [prefix, originator, hop] of [[ours, '10.0.0.3', client(3)], [ofBird, '10.0.0.2', client(2)]] as const) {
        const path = await eventually(`${prefix} at FRR`, () => (JSON.parse(vtysh(`show bgp ipv6 unicast ${prefix} json`)) as { paths?: { originatorId: string; clusterList: { list: string[] }; nexthops: { ip: string }[] }[] }).paths?.[0]);
        assert.deepEqual([path.originatorId, path.clusterList.list, path.nexthops[0]?.ip], [originator, ['10.0.0.100'], hop]);
      }

      // At BIRD: ours and FRR's.
      for (const [prefix, originator] of [[ours, '10.0.0.3'], [ofFrr, '10.0.0.1']] as const) {
        const text = await eventually(`${prefix} at BIRD`, () => {
          const shown = atBird(prefix);
          return shown.includes('BGP.originator_id') ? shown : undefined;
        });
        assert.match(text, new RegExp(`BGP.originator_id: ${originator}\\s`));
        assert.match(text, /BGP.cluster_list: 10.0.0.100\s/);
      }
      assert.match(atBird(ofFrr), /BGP.local_pref: 80\s/);

      // A client that goes takes its routes along, and is no neighbour any more.
      vtysh(`configure terminal\nrouter bgp ${as}\nno neighbor ${reflector(1)}`);
      await eventually('the withdrawal at BIRD', () => atBird(ofFrr) === '');
      assert.deepEqual((await rr.show()).neighbors.map(({ address, state }) => [address, state]).sort(), [[client(2), 'Established'], [client(3), 'Established']]);
      for (const driver of [rr, speaker]) assert.deepEqual((await driver.show()).events.filter((event) => event.kind === 'fault'), []);
    }));
});
