import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeKeepalive, encodeOpen } from '../../../daemon/bgp/wire/encode.js';
import { neighbor, Network, type Node } from './network.js';
import { hexBytes, message, RawPeer, update } from './raw-peer.js';

const reach = (prefix: string): string => `90 0e 00${((5 + 16 + prefix.replaceAll(' ', '').length / 2) & 0xff).toString(16).padStart(2, '0')} 0002 01 10 2001 0db8 0000 0000 0000 0000 0000 0bad 00 ${prefix}`;
const origin = '40 01 01 00';
const asPath = '40 02 06 02 01 0000fde9';
const a48 = '30 2001 0db8 000a';
const b48 = '30 2001 0db8 000b';

function setUp(): { network: Network; node: Node; peer: RawPeer } {
  const network = new Network();
  const node = network.node({ as: 65000, servicePrefixes: ['2001:db8:5e::/48'] });
  const peer = RawPeer.established(network, node);
  assert.equal(node.state(peer.address), 'Established');
  return { network, node, peer };
}

describe('A malformed UPDATE', () => {
  test('that is to be treated as a withdrawal takes its routes away and leaves the session and other routes alone', () => {
    const { node, peer } = setUp();
    peer.send(update(`${reach(a48)} ${origin} ${asPath}`), update(`${reach(b48)} ${origin} ${asPath}`));
    assert.deepEqual([...node.unicast.keys()], ['2001:db8:a::/48', '2001:db8:b::/48']);
    // ORIGIN 9: RFC 7606 section 7.1.
    peer.send(update(`${reach(a48)} 40 01 01 09 ${asPath}`));
    assert.deepEqual([...node.unicast.keys()], ['2001:db8:b::/48']);
    assert.equal(node.state(peer.address), 'Established');
    assert.equal(node.view(peer.address).updateErrors.treatAsWithdraw, 1);
    const fault = node.events.find((event) => event.kind === 'fault');
    assert.match(fault?.text ?? '', /attribute 1: .*RFC 7606 section 7.1, treatAsWithdraw/);
    assert.equal(fault?.raw, '40010109');
    assert.equal(peer.closed, false);
  });

  test('with an attribute to be discarded keeps its routes', () => {
    const { node, peer } = setUp();
    // AGGREGATOR of a wrong length: RFC 7606 section 7.7.
    peer.send(update(`${reach(a48)} ${origin} ${asPath} c0 07 02 0000`));
    assert.deepEqual([...node.unicast.keys()], ['2001:db8:a::/48']);
    assert.equal(node.view(peer.address).updateErrors.attributeDiscard, 1);
  });

  test('that cannot be delimited ends the session with the NOTIFICATION of the fault', () => {
    const { node, peer } = setUp();
    peer.send(update(`${reach(a48)} ${origin} ${asPath}`));
    // Two MP_REACH_NLRI: RFC 7606 section 3 g.
    peer.send(update(`${reach(a48)} ${reach(b48)} ${origin} ${asPath}`));
    assert.deepEqual(peer.notification(), { code: 3, subcode: 1 });
    assert.equal(peer.closed, true);
    assert.equal(node.unicast.size, 0);
    assert.equal(node.view(peer.address).lastError?.direction, 'sent');
  });

  test('with a CPN block that does not add up withdraws the service route', () => {
    const { node, peer } = setUp();
    const network = '80 2001 0db8 005e 0000 0000 0000 0000 0001';
    const withBlock = (block: string): Uint8Array => update(`${reach(network)} ${origin} ${asPath} c0 ff ${(block.length / 2).toString(16).padStart(2, '0')} ${block}`);
    node.neighbors = node.neighbors.map((config) => ({ ...config, cpn: true, cpnAccept: ['2001:db8:5e::/48'] }));
    node.speaker.reconfigure(node.config());
    peer.send(withBlock('43504e01'));
    assert.equal(node.service.size, 1);
    peer.send(withBlock('43504e010002ffff'));
    assert.equal(node.service.size, 0);
    assert.equal(node.state(peer.address), 'Established');
    assert.ok(node.events.some((event) => event.kind === 'fault' && event.text.startsWith('attribute 255') && event.raw?.endsWith('43504e010002ffff')));
  });

  test('with a CPN block full of faults is one event, however many they are', () => {
    const { node, peer } = setUp();
    node.neighbors = node.neighbors.map((config) => ({ ...config, cpn: true, cpnAccept: ['2001:db8:5e::/48'] }));
    node.speaker.reconfigure(node.config());
    // Instance TLVs without a value.
    const block = `43504e01${'00030000'.repeat(200)}`;
    peer.send(update(`${reach('80 2001 0db8 005e 0000 0000 0000 0000 0001')} ${origin} ${asPath} d0 ff ${(block.length / 2).toString(16).padStart(4, '0')} ${block}`));
    const faults = node.events.filter((event) => event.kind === 'fault');
    assert.equal(faults.length, 1);
    assert.match(faults[0]!.text, /octet 8: Instance: length 0, at least 8 needed; .*; and 193 more$/);
  });

  test('never does more than its disposition says, whatever its octets are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (noise) => {
        const { network, node, peer } = setUp();
        peer.send(update(`${reach(b48)} ${origin} ${asPath}`));
        const attribute = `c0 63 ${noise.length.toString(16).padStart(2, '0')} ${Buffer.from(noise).toString('hex')}`;
        peer.send(update(`${reach(a48)} ${origin} ${asPath} ${attribute}`));
        network.settle();
        assert.deepEqual(node.best('2001:db8:a::/48')?.unknown, [{ type: 0x63, flags: 0xe0, value: Buffer.from(noise).toString('hex') }]);
        peer.send(message(2, noise));
        network.settle();
        // Either the session stands, or an UPDATE Message Error, of a message too short for one a Bad Message Length, ended it.
        if (node.state(peer.address) === 'Established') assert.equal(peer.notification(), undefined);
        else assert.equal(peer.notification()?.code, noise.length < 4 ? 1 : 3);
      }),
      { numRuns: 100 },
    );
  });
});

describe('A faulty peer', () => {
  const connected = (): { node: Node; peer: RawPeer; network: Network } => {
    const network = new Network();
    const node = network.node({ as: 65000 });
    const peer = new RawPeer(network, node, '2001:db8::bad', 65001);
    node.neighbors.push(neighbor(peer.address, node.address, 65001, { passive: true }));
    network.start(node);
    peer.connect();
    return { network, node, peer };
  };

  test('that cuts its messages into single octets is understood', () => {
    const { node, peer } = connected();
    const bytes = Buffer.concat([encodeOpen({ as: 65001, holdTime: 90, identifier: '10.9.9.9', capabilities: [{ kind: 'multiprotocol', family: { afi: 2, safi: 1 } }, { kind: 'fourOctetAs', as: 65001 }] }), encodeKeepalive(), update(`${reach(a48)} ${origin} ${asPath}`)]);
    for (const octet of bytes) peer.stream?.write(Uint8Array.of(octet));
    peer.send();
    assert.equal(node.state(peer.address), 'Established');
    assert.deepEqual([...node.unicast.keys()], ['2001:db8:a::/48']);
  });

  test('that sends a NOTIFICATION and closes at once is heard', () => {
    const { node, peer } = setUp();
    peer.stream?.write(message(3, hexBytes('06 04')));
    peer.stream?.close();
    peer.send();
    assert.deepEqual([node.view(peer.address).lastError?.code, node.view(peer.address).lastError?.subcode], [6, 4]);
  });

  test('that sends random octets gets one NOTIFICATION at most and never stops the speaker', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const { network, node, peer } = connected();
        peer.send(noise);
        network.settle();
        assert.ok(peer.received.filter((other) => other.type === 'notification').length <= 1);
        const again = new RawPeer(network, node, peer.address, 65001);
        network.settle(10_000);
        again.connect();
        again.open();
        again.send(encodeKeepalive());
        assert.equal(node.state(peer.address), 'Established');
      }),
      { numRuns: 50 },
    );
  });
});
