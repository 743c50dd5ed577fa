import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Lab, waitFor } from '../../lab/index.js';
import { native } from '../../dataplane/native/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import { wireAddon } from '../../lab/wire/addon.js';
import { labCommand, labFor, median, pingTimes, twoHosts } from './lab-fixture.js';

// The delay line is what these tests are about, also where the kernel has netem.
process.env['CPN_LAB_IMPAIRMENT'] = 'delay-line';

const clientTool = `${checkout}/dist/lab/tools/client.js`;

const impaired = (labels: string): string => `${twoHosts.trimEnd()}\n      mtu: 1500\n      labels: {${labels}}\n`;

/** Mbit/s that an iperf3 TCP connection from a to b gets in one second. */
async function throughput(lab: Lab): Promise<number> {
  const server = await lab.node('b').spawn(['iperf3', '-s', '-1', '--forceflush']);
  await waitFor(() => server.stdout.includes('listening'), { timeoutMs: 5000, what: 'iperf3 to listen' });
  const result = JSON.parse(await lab.node('a').run(['iperf3', '-J', '-c', 'fd00::2', '-t', '1'])) as { end: { sum_received: { bits_per_second: number } } };
  await server.exited;
  return result.end.sum_received.bits_per_second / 1e6;
}

describe('links', () => {
  test('without impairment carry full speed with segmentation offload', async (t) => {
    const { lab } = await labFor(t, twoHosts);
    assert.equal((await lab.links())[0]!.directions[0].delayLine, null);
    const capture = await lab.capture('b:eth1', 'tcp and greater 20000');
    const speed = await throughput(lab);
    assert.ok(speed > 1000, `${speed} Mbit/s`);
    const large = await lab.node('b').run(['sh', '-c', 'tcpdump -n -c 1 -r - 2>/dev/null'], { input: readFileSync(await capture.stop()) });
    assert.notEqual(large, '', 'no segment larger than the MTU was seen');
  });

  test('a delay from the file counts in both directions, within a millisecond', async (t) => {
    const { lab } = await labFor(t, impaired('cpn-delay: 10ms'));
    const times = await pingTimes(lab.node('a'), 'fd00::2', 40);
    assert.equal(times.length, 40);
    const middle = median(times);
    assert.ok(Math.abs(middle - 20) < 1, `median ${middle} ms`);
    assert.ok(Math.min(...times) >= 19.99, `min ${Math.min(...times)} ms`);
  });

  test('delay of one direction changes while traffic flows, from none to some to none', async (t) => {
    const { lab, file } = await labFor(t, twoHosts);
    await lab.node('a').run(['ping', '-n', '-c', '1', 'fd00::2']);
    const during = pingTimes(lab.node('a'), 'fd00::2', 100, 0.01);
    for (const delay of [5, 20, 0, 7]) {
      const { status, stderr } = await labCommand(['delay', file, 'a:eth1', `${delay}ms`]);
      assert.equal(status, 0, stderr);
      const middle = median(await pingTimes(lab.node('a'), 'fd00::2', 15));
      assert.ok(Math.abs(middle - delay) < 1, `${delay} ms: median ${middle} ms`);
    }
    // A frame may be lost in the moment its carrier changes: four changes, three of them of the carrier.
    assert.ok((await during).length >= 95, `${(await during).length} of 100 pings answered`);
    await lab.setDelay('a:eth1', 0);
    assert.equal((await lab.links())[0]!.directions[0].carrier, 'redirect');
    assert.match(await lab.node('a').run(['ethtool', '-k', 'eth1']), /tx-checksumming: on/);
  });

  test('frames keep their order when the delay shrinks and when it varies', async (t) => {
    const { lab } = await labFor(t, twoHosts);
    // The kernel itself may reorder what waited for the neighbour: it is known before the first frame counts.
    await lab.node('a').run(['ping', '-n', '-c', '1', '-w', '5', 'fd00::2']);
    await lab.setDelay('a:eth1', 30);
    const receiver = await lab.node('b').spawn(['tcpdump', '-n', '-l', '--immediate-mode', '-i', 'eth1', 'icmp6 and ip6[40] == 128']);
    await waitFor(() => receiver.stderr.includes('listening'), { timeoutMs: 5000, what: 'tcpdump to listen' });
    const pings = pingTimes(lab.node('a'), 'fd00::2', 200, 0.002);
    await waitFor(() => receiver.stdout.includes('seq 20,'), { timeoutMs: 5000, what: 'the first frames' });
    await lab.setDelay('a:eth1', 3, 3);
    assert.equal((await pings).length, 200);
    await receiver.stop('SIGINT');
    const order = [...receiver.stdout.matchAll(/seq (\d+),/g)].map((match) => Number(match[1]));
    assert.equal(order.length, 200);
    assert.deepEqual(order, order.toSorted((a, b) => a - b));
  });

  test('loss drops the share that was asked for', async (t) => {
    const { lab, file } = await labFor(t, twoHosts);
    // Neighbour discovery is over before the loss begins: a lost solicitation would cost the whole second of the test.
    await lab.node('a').run(['ping', '-n', '-c', '1', '-w', '5', 'fd00::2']);
    assert.equal((await labCommand(['loss', file, 'a:eth1', '20%'])).status, 0);
    // What arrived is counted by b's kernel, which has nobody at that port. Of 4,000 trials four standard deviations are 2.6 percent.
    await lab.node('a').exec([process.execPath, clientTool, '--to', 'fd00::2', '--port', '9', '--rate', '8000', '--duration-s', '0.5', '--timeout-ms', '1']);
    const counters = await lab.node('b').run(['cat', '/proc/net/snmp6']);
    const arrived = Number(/^Udp6NoPorts\s+(\d+)/m.exec(counters)![1]);
    assert.ok(Math.abs(arrived / 4000 - 0.8) < 0.026, `${arrived} of 4000 arrived`);
    const line = (await lab.links())[0]!.directions[0].delayLine!;
    assert.ok(line.lost >= 4000 - arrived);
    assert.equal(line.overflowed, 0);
  });

  test('rate bounds throughput, its queue delays and overflows', async (t) => {
    const { lab, file } = await labFor(t, impaired('cpn-rate: 1gbit'));
    assert.equal((await labCommand(['rate', file, 'a:eth1', '20mbit'])).status, 0);
    const speed = await throughput(lab);
    assert.ok(speed > 15 && speed < 20.1, `${speed} Mbit/s`);
    await lab.setRate('a:eth1', 64_000);
    const expected = ((1400 + 8 + 40 + 14) * 8) / 64;
    // The least of some: neighbour discovery uses the line too.
    const result = await lab.node('a').run(['ping', '-n', '-c', '4', '-i', '0.3', '-s', '1400', 'fd00::2']);
    const time = Math.min(...[...result.matchAll(/time=([\d.]+)/g)].map((match) => Number(match[1])));
    assert.ok(Math.abs(time - expected) < 1, `${time} ms, expected ${expected}`);
    // More than the queue of 1,000 frames in far less time than they need: the rest is dropped, and a higher rate drains it at once.
    await lab.node('a').exec([process.execPath, clientTool, '--to', 'fd00::2', '--port', '9', '--rate', '5000', '--duration-s', '0.4', '--size', '1400', '--timeout-ms', '1']);
    const full = (await lab.links())[0]!.directions[0].delayLine!;
    assert.ok(full.overflowed > 500 && full.held > 900, JSON.stringify(full));
    await lab.setRate('a:eth1', 1e9);
    await waitFor(async () => (await lab.links())[0]!.directions[0].delayLine!.held === 0, { timeoutMs: 2000, what: 'the queue to drain at the new rate' });
  });

  test('checksums on an impaired link are those of a wire', async (t) => {
    const { lab } = await labFor(t, impaired('cpn-delay: 1ms'));
    const capture = await lab.capture('b:eth1', 'tcp');
    const server = await lab.node('b').spawn(['iperf3', '-s', '-1', '--forceflush']);
    await waitFor(() => server.stdout.includes('listening'), { timeoutMs: 5000, what: 'iperf3 to listen' });
    await lab.node('a').run(['iperf3', '-c', 'fd00::2', '-n', '100K']);
    await server.exited;
    const text = await lab.node('b').run(['sh', '-c', 'tcpdump -n -vv -r - src host fd00::1 2>/dev/null'], { input: readFileSync(await capture.stop()) });
    assert.match(text, /cksum 0x[0-9a-f]{4} \(correct\)/);
    assert.doesNotMatch(text, /incorrect/);
  });

  test('netem impairs where the kernel has it', async (t) => {
    process.env['CPN_LAB_IMPAIRMENT'] = '';
    t.after(() => (process.env['CPN_LAB_IMPAIRMENT'] = 'delay-line'));
    const { lab } = await labFor(t, impaired('cpn-delay: 10ms'));
    if ((await lab.links())[0]!.directions[0].carrier !== 'netem') {
      t.skip('this kernel has no netem');
      return;
    }
    assert.ok(Math.abs(median(await pingTimes(lab.node('a'), 'fd00::2', 20)) - 20) < 1);
    await lab.setDelay('a:eth1', 0);
    assert.equal((await lab.links())[0]!.directions[0].carrier, 'redirect');
    assert.ok(Math.abs(median(await pingTimes(lab.node('a'), 'fd00::2', 20)) - 10) < 1);
  });

  test('a redirect through the queueing discipline of the far end meets it', async (t) => {
    const { lab } = await labFor(t, twoHosts);
    const wire = lab.state.readWire()!;
    const inWire = ['-t', String(wire.pid), '-n', '--'];
    execFileSync('nsenter', [...inWire, 'tc', 'qdisc', 'add', 'dev', 'w0b', 'root', 'tbf', 'rate', '20mbit', 'burst', '20kb', 'latency', '50ms']);
    assert.ok((await throughput(lab)) > 100, 'a straight redirect passes the queueing discipline by');
    native.inNetworkNamespace(`/proc/${wire.pid}/ns/net`, () => {
      wireAddon.wireRedirect(native.ifNameToIndex('w0a'), native.ifNameToIndex('w0b'), true);
    });
    const speed = await throughput(lab);
    assert.ok(speed > 10 && speed < 21, `${speed} Mbit/s`);
  });

  test('an endpoint that is none is refused with those there are', async (t) => {
    const { lab } = await labFor(t, twoHosts);
    await assert.rejects(lab.setDelay('a:eth7', 1), /no link endpoint a:eth7 .* expected one of a:eth1, b:eth1/);
  });
});

describe('failing and restoring', () => {
  const carrier = async (lab: Lab, node: string): Promise<string> => (await lab.node(node).exec(['cat', '/sys/class/net/eth1/carrier'])).stdout.trim();

  test('a failed link is down at both ends and keeps addresses; restored it carries again with its delay', async (t) => {
    const { lab, file } = await labFor(t, impaired('cpn-delay: 3ms'));
    assert.deepEqual([await carrier(lab, 'a'), await carrier(lab, 'b')], ['1', '1']);
    assert.equal((await labCommand(['fail', file, 'a:eth1'])).status, 0);
    assert.deepEqual([await carrier(lab, 'a'), await carrier(lab, 'b')], ['0', '0']);
    assert.match(await lab.node('b').run(['ip', 'address', 'show', 'dev', 'eth1']), /fd00::2/);
    assert.deepEqual(await pingTimes(lab.node('a'), 'fd00::2', 1), []);
    assert.equal((await labCommand(['restore', file, 'b:eth1'])).status, 0);
    await waitFor(async () => (await pingTimes(lab.node('a'), 'fd00::2', 1)).length === 1, { timeoutMs: 10_000, what: 'the link to carry again' });
    const times = await pingTimes(lab.node('a'), 'fd00::2', 10);
    assert.ok(Math.abs(median(times) - 6) < 1, `median ${median(times)} ms`);
  });

  test('an interface that a node sets down takes the carrier from the other end, in whatever order they come and go', async (t) => {
    const { lab } = await labFor(t, twoHosts);
    const becomes = (node: string, value: string): Promise<unknown> =>
      waitFor(async () => (await carrier(lab, node)) === value, { timeoutMs: 5000, what: `carrier of ${node} to be "${value}"` });
    const set = (node: string, state: string): Promise<string> => lab.node(node).run(['ip', 'link', 'set', 'eth1', state]);
    for (const [first, second] of [['a', 'b'], ['b', 'a']] as const) {
      await set(first, 'down');
      await becomes(second, '0');
      await set(second, 'down');
      await set(first, 'up');
      assert.equal(await carrier(lab, first), '0');
      await set(second, 'up');
      await becomes(first, '1');
      await becomes(second, '1');
      await set(first, 'down');
      await becomes(second, '0');
      await lab.fail('a:eth1');
      await set(first, 'up');
      assert.equal(await carrier(lab, first), '0');
      await lab.restore('a:eth1');
      await becomes(first, '1');
      await becomes(second, '1');
    }
  });

  test('a deleted interface takes the carrier from the other end and leaves the other links alone', async (t) => {
    const { lab } = await labFor(t, `${twoHosts.trimEnd()}\n    - endpoints: ["a:eth2", "b:eth2"]\n`);
    await lab.node('a').run(['ip', 'link', 'delete', 'eth1']);
    await waitFor(async () => (await carrier(lab, 'b')) !== '1', { timeoutMs: 5000, what: 'b to lose its carrier' });
    await lab.fail('b');
    await lab.restore('b');
    assert.equal((await lab.node('a').run(['cat', '/sys/class/net/eth2/carrier'])).trim(), '1');
  });

  test('a failed node loses its links, then its processes, and says goodbye to nobody', async (t) => {
    const { lab, file } = await labFor(t, twoHosts);
    const server = await lab.node('b').spawn([process.execPath, '-e', 'net.createServer().listen(7000, () => console.log("listening"))']);
    await waitFor(() => server.stdout !== '', { timeoutMs: 5000, what: 'the server to listen' });
    const connection = await lab.node('a').spawn([process.execPath, '-e', 'net.connect(7000, "fd00::2", () => console.log("connected")).on("close", () => console.log("closed"))']);
    await waitFor(() => connection.stdout.includes('connected'), { timeoutMs: 5000, what: 'the connection' });
    const sleeper = await lab.node('b').spawn(['sleep', '1000']);
    const capture = await lab.capture('a:eth1', 'tcp');
    assert.equal((await labCommand(['fail', file, 'b'])).status, 0);
    assert.equal(await sleeper.exited, 137);
    assert.equal(await server.exited, 137);
    assert.equal(await carrier(lab, 'a'), '0');
    // No FIN and no RST came: the connection still believes in its peer.
    const heard = await lab.node('a').run(['sh', '-c', 'tcpdump -n -r - src host fd00::2 2>/dev/null'], { input: readFileSync(await capture.stop()) });
    assert.equal(heard, '');
    assert.doesNotMatch(connection.stdout, /closed/);
    assert.match(await lab.node('b').run(['ip', 'address', 'show', 'dev', 'eth1']), /fd00::2/);
    assert.equal((await labCommand(['restore', file, 'b'])).status, 0);
    await waitFor(async () => (await pingTimes(lab.node('a'), 'fd00::2', 1)).length === 1, { timeoutMs: 10_000, what: 'b to answer again' });
  });
});
