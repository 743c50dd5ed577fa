/** Others read what we write: tshark, and a GoBGP speaker on the loopback interface. Skipped where they are not installed. */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cpnAttributeOf } from '../../../../daemon/bgp/wire/attributes/cpn.js';
import { prefixSidOf } from '../../../../daemon/bgp/wire/attributes/prefix-sid.js';
import { decodeMessage } from '../../../../daemon/bgp/wire/decode.js';
import { encodeKeepalive, encodeNotification, encodeOpen, encodeRouteRefresh } from '../../../../daemon/bgp/wire/encode.js';
import { MessageFramer } from '../../../../daemon/bgp/wire/framer.js';
import { ceaseWithCommunication } from '../../../../daemon/bgp/wire/notification.js';
import { encodeEndOfRib, packAnnouncements, packWithdrawals } from '../../../../daemon/bgp/wire/pack.js';
import { type Capability, EMPTY_ATTRIBUTES, type EncodeContext, IPV4_UNICAST, IPV6_UNICAST, type Message, NO_EXPORT, type PathAttributes } from '../../../../daemon/bgp/wire/types.js';
import { decodeCpnBlock } from '../../../../daemon/computing/block.js';
import { Writer } from '../../../../dataplane/packet/cursor.js';
import { parseIp, Prefix } from '../../../../dataplane/packet/ip.js';
import { readHex } from '../../../vectors/load.js';
import { PLAIN } from './support/session.js';

const installed = (command: string): boolean => spawnSync(command, ['--version']).error === undefined;
const run = promisify(execFile);

const context: EncodeContext = { ...PLAIN, extendedMessage: false };
const cpn = decodeCpnBlock(readHex('cpn', 'full'));
assert.equal(cpn.kind, 'block');
const SERVICE = Prefix.from('2001:db8:cafe::1/128');

const RICH: PathAttributes = {
  ...EMPTY_ATTRIBUTES,
  asPath: [
    { type: 2, as: [4_200_000_001, 65009] },
    { type: 1, as: [65010, 65011] },
  ],
  med: 42,
  localPref: 250,
  atomicAggregate: true,
  aggregator: { as: 4_200_000_002, address: '192.0.2.9' },
  communities: [NO_EXPORT, 0xfde80001],
  extendedCommunities: [0x0002fde800000063n],
  largeCommunities: [{ global: 65001, local1: 2, local2: 3 }],
  originatorId: '192.0.2.7',
  clusterList: ['192.0.2.8'],
  cpn: cpnAttributeOf(cpn.block),
  prefixSid: prefixSidOf(cpn.block.instances[0]!.sid!),
  unknown: [{ flags: 0xe0, type: 200, value: Uint8Array.of(1, 2, 3) }],
};

const CAPABILITIES: Capability[] = [
  { kind: 'multiprotocol', family: IPV6_UNICAST },
  { kind: 'multiprotocol', family: IPV4_UNICAST },
  { kind: 'routeRefresh' },
  { kind: 'fourOctetAs', as: 65001 },
  { kind: 'extendedMessage' },
  { kind: 'addPath', families: [{ ...IPV6_UNICAST, receive: true, send: false }] },
  { kind: 'gracefulRestart', restarting: false, notification: true, timeSeconds: 120, families: [{ ...IPV6_UNICAST, forwardingPreserved: true }] },
];
const OPEN = encodeOpen({ as: 65001, holdTime: 90, identifier: '192.0.2.1', capabilities: CAPABILITIES });
const NEXT_HOP = { address: '2001:db8::1', linkLocal: undefined };
const UPDATES = packAnnouncements({ family: IPV6_UNICAST, nextHop: NEXT_HOP, nlri: [{ prefix: SERVICE, pathId: 0 }] }, RICH, context)!;
const CLASSIC = packAnnouncements(
  { family: IPV4_UNICAST, nextHop: { address: '192.0.2.1', linkLocal: undefined }, nlri: [{ prefix: Prefix.from('198.51.100.0/24'), pathId: 0 }] },
  { ...EMPTY_ATTRIBUTES, localPref: 100 },
  context,
)!;

/** A capture file with each message in a TCP segment of its own. */
function pcap(messages: readonly Uint8Array[]): Uint8Array {
  const file = new Writer(4096).u32(0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(65535).u32(101);
  let sequence = 1;
  for (const payload of messages) {
    const length = 40 + payload.length;
    file.u32(0).u32(0).u32(length).u32(length);
    file.u16(0x4500).u16(length).u32(0x40000000).u8(64).u8(6).u16(0).u32(0xc0000201).u32(0xc0000202);
    file.u16(40000).u16(179).u32(sequence).u32(1).u16(0x5018).u16(0xffff).u32(0);
    file.octets(payload);
    sequence += payload.length;
  }
  return file.finish();
}

describe('tshark reads what we write', { skip: installed('tshark') ? false : 'tshark is not installed' }, () => {
  it('finds every message well formed, with the values that were put in', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bgp-wire-'));
    try {
      const path = join(folder, 'ours.pcap');
      const messages = [
        OPEN,
        encodeKeepalive(),
        ...UPDATES,
        ...CLASSIC,
        ...packWithdrawals(IPV6_UNICAST, [{ prefix: SERVICE, pathId: 0 }], context),
        encodeEndOfRib(IPV6_UNICAST),
        encodeRouteRefresh(IPV6_UNICAST),
        encodeNotification(ceaseWithCommunication(2, 'until tomorrow')),
      ];
      writeFileSync(path, pcap(messages));
      const fields = (...names: string[]): string[][] =>
        execFileSync('tshark', ['-r', path, '-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=,', ...names.flatMap((name) => ['-e', name])], { stdio: ['ignore', 'pipe', 'ignore'] })
          .toString()
          .replace(/\n$/, '')
          .split('\n')
          .map((line) => line.split('\t'));
      assert.deepEqual(fields('bgp.type', '_ws.malformed', '_ws.expert.message').map(([type, ...faults]) => [type, ...faults.filter(Boolean)]), [
        ['1'], ['4'], ['2'], ['2'], ['2'], ['2'], ['5'], ['3'],
      ]);
      const update = (name: string): string => `bgp.update.path_attribute.${name}`;
      assert.deepEqual(fields('bgp.open.myas', 'bgp.open.holdtime', 'bgp.open.identifier', 'bgp.cap.type', 'bgp.cap.4as')[0], ['65001', '90', '192.0.2.1', '1,1,2,65,6,69,64', '65001']);
      assert.deepEqual(fields(update('type_code'), update('as_path_segment.as4'), update('multi_exit_disc'), update('local_pref'), 'bgp.mp_reach_nlri_ipv6_prefix')[2], [
        '14,1,2,4,5,6,7,8,9,10,16,32,40,200,255',
        '4200000001,65009,65010,65011',
        '42',
        '250',
        '2001:db8:cafe::1',
      ]);
      const sid = (name: string): string => `bgp.prefix_sid.srv6_l3vpn.${name}`;
      assert.deepEqual(fields(sid('sid_value'), sid('srv6_endpoint_behavior'), sid('sid.locator_block_len'), sid('sid.locator_node_len'), sid('sid.func_len'), sid('sid.arg_len'))[2], [
        'fcbb:bb00:1:d6::', '0x0010', '32', '16', '16', '0',
      ]);
      assert.deepEqual(fields(update('next_hop'), 'bgp.nlri_prefix', 'bgp.prefix_length')[3], ['192.0.2.1', '198.51.100.0', '24']);
      assert.deepEqual(fields('bgp.mp_unreach_nlri_ipv6_prefix')[4], ['2001:db8:cafe::1']);
      assert.deepEqual(fields('bgp.notify.communication')[7], ['until tomorrow']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Calls `attempt` until it yields a value, for at most ten seconds. */
async function eventually<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + 10_000;
  while (performance.now() < end) {
    const value = await attempt().catch(() => undefined);
    if (value !== undefined) return value;
    await delay(50);
  }
  throw new Error(`${what}: not within ten seconds`);
}

interface GoBgpPath {
  readonly attrs: readonly ({ readonly type: number } & Readonly<Record<string, unknown>>)[];
}

describe('GoBGP takes what we write', { skip: installed('gobgpd') && installed('gobgp') ? false : 'gobgpd is not installed' }, () => {
  it('keeps the session up and shows the CPN attribute octet for octet', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bgp-wire-'));
    const [port, api] = [await freePort(), await freePort()];
    const configuration = join(folder, 'gobgpd.conf');
    writeFileSync(
      configuration,
      `[global.config]
as = 65001
router-id = "192.0.2.2"
port = ${port}
local-address-list = ["127.0.0.1"]
[[neighbors]]
[neighbors.config]
neighbor-address = "127.0.0.1"
peer-as = 65001
[neighbors.transport.config]
passive-mode = true
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "ipv6-unicast"
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "ipv4-unicast"
`,
    );
    const daemon = spawn('gobgpd', ['-f', configuration, '--api-hosts', `127.0.0.1:${api}`], { stdio: 'ignore' });
    const gobgp = async (...words: string[]): Promise<string> => (await run('gobgp', ['-p', String(api), ...words, '-j'])).stdout;
    const socket = await eventually('a connection to gobgpd', async () => {
      const attempt = connect(port, '127.0.0.1');
      await once(attempt, 'connect');
      return attempt;
    });
    const received: Message[] = [];
    try {
      const framer = new MessageFramer();
      socket.on('data', (chunk) => {
        const { messages, fault } = framer.push(chunk);
        assert.equal(fault, undefined);
        for (const octets of messages) {
          const result = decodeMessage(octets, PLAIN);
          assert.ok(result.ok);
          received.push(result.message);
        }
      });
      socket.write(OPEN);
      await eventually('an OPEN from gobgpd', () => Promise.resolve(received.find(({ type }) => type === 'open')));
      for (const octets of [encodeKeepalive(), ...UPDATES, ...CLASSIC, encodeEndOfRib(IPV6_UNICAST), encodeEndOfRib(IPV4_UNICAST)]) socket.write(octets);
      const routes = await eventually('the route in GoBGP', async () => {
        const table = JSON.parse(await gobgp('global', 'rib', '-a', 'ipv6')) as Record<string, GoBgpPath[]>;
        return table['2001:db8:cafe::1/128'];
      });
      const attributes = new Map(routes[0]!.attrs.map((attribute) => [attribute.type, attribute]));
      const shown = attributes.get(255)?.['value'];
      assert.equal(typeof shown, 'string');
      assert.deepEqual(new Uint8Array(Buffer.from(shown as string, 'base64')), readHex('cpn', 'full'));
      assert.deepEqual([...attributes.keys()].sort((a, b) => a - b), [1, 2, 4, 5, 6, 7, 8, 9, 10, 14, 16, 32, 40, 200, 255]);
      const information = JSON.stringify(attributes.get(40));
      assert.ok(information.includes(`"sid":"${Buffer.from(parseIp('fcbb:bb00:1:d6::')!).toString('base64')}"`), information);
      assert.ok(information.includes('"endpoint_behavior":16') && information.includes('"locator_block_length":32'), information);
      assert.equal(attributes.get(4)?.['metric'], 42);
      const neighbours = JSON.parse(await gobgp('neighbor')) as { state: { session_state?: number; messages: { received: { notification?: number } } } }[];
      assert.equal(neighbours[0]?.state.session_state, 6, 'Established');
      for (const octets of packWithdrawals(IPV6_UNICAST, [{ prefix: SERVICE, pathId: 0 }], context)) socket.write(octets);
      await eventually('the withdrawal in GoBGP', async () => ((await gobgp('global', 'rib', '-a', 'ipv6')).includes('cafe') ? undefined : true));
      assert.deepEqual(received.filter(({ type }) => type === 'notification'), []);
    } finally {
      socket.destroy();
      daemon.kill();
      await once(daemon, 'exit');
      rmSync(folder, { recursive: true });
    }
  });
});
