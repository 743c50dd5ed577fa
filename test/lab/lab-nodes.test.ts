import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Lab, waitFor } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import { LabState, stateRoot } from '../../lab/runner/state.js';
import { footprint, labCommand, labFor, mountsNaming, processesNaming, scenario, twoHosts } from './lab-fixture.js';

describe('nodes of a lab', () => {
  test('two labs with the same node names and addresses run at once and do not hear each other', async (t) => {
    const one = await labFor(t, twoHosts);
    const two = await labFor(t, twoHosts);
    for (const { lab } of [one, two]) await lab.node('a').run(['ping', '-n', '-c', '1', '-W', '2', 'fd00::2']);
    await one.lab.node('b').run(['ip', 'link', 'set', 'eth1', 'down']);
    assert.notEqual((await one.lab.node('a').exec(['ping', '-n', '-c', '1', '-W', '1', 'fd00::2'])).status, 0);
    await two.lab.node('a').run(['ping', '-n', '-c', '1', '-W', '2', 'fd00::2']);
  });

  test('what a node writes is seen by no other node and not by the host', async (t) => {
    const { lab } = await labFor(t, twoHosts);
    const marker = `cpn-marker-${process.pid}`;
    const folders = ['/run/cpn', '/etc/cpn', '/etc/frr', '/var/run/frr', '/etc/bird', '/tmp', '/dev/shm', '/var/lib', '/opt', '/usr/local/lib'];
    for (const folder of folders) {
      const path = join(folder, marker);
      await lab.node('a').run(['sh', '-c', `mkdir -p ${folder} && echo x > ${path}`]);
      assert.equal(existsSync(path), false, `${path} on the host`);
      assert.notEqual((await lab.node('b').exec(['test', '-e', path])).status, 0, `${path} on b`);
    }
  });

  test('a node sees only its own processes, has its own name, and its orphans are reaped', async (t) => {
    const { lab } = await labFor(t, twoHosts);
    const a = lab.node('a');
    assert.equal((await a.run(['hostname'])).trim(), 'a');
    await a.run(['sh', '-c', '(sleep 0.01 &) ; exit 0']);
    await waitFor(async () => !(await a.run(['ps', '-eo', 'stat'])).includes('Z'), { timeoutMs: 2000, what: 'the orphan to be reaped' });
    assert.deepEqual((await a.run(['ps', '-eo', 'comm'])).trim().split('\n').slice(1).sort(), ['ps', 'sh', 'sleep']);
  });

  test('binds appear at targets that did not exist, read-only where asked; env and sysctls are set', async (t) => {
    const { lab, file } = await labFor(
      t,
      `
name: NAME
topology:
  nodes:
    a:
      kind: linux
      env: {GREETING: "hello there"}
      sysctls: {net.ipv6.conf.all.forwarding: 1, net.ipv6.conf.eth1.hop_limit: 17}
      binds: ["config.txt:/var/run/deep/folder/config.txt:ro", "config.txt:/etc/cpn/other.txt"]
      exec: ["sh -c 'echo \\"$GREETING\\" > /tmp/greeting'"]
    b: {kind: linux}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
`,
      { 'config.txt': 'bound\n' },
    );
    const a = lab.node('a');
    assert.equal(await a.run(['cat', '/run/deep/folder/config.txt']), 'bound\n');
    assert.equal(await a.run(['cat', '/tmp/greeting']), 'hello there\n');
    assert.equal(await a.run(['cat', '/proc/sys/net/ipv6/conf/all/forwarding', '/proc/sys/net/ipv6/conf/eth1/hop_limit']), '1\n17\n');
    assert.notEqual((await a.exec(['sh', '-c', 'echo x > /run/deep/folder/config.txt'])).status, 0);
    await a.run(['sh', '-c', 'echo changed > /etc/cpn/other.txt']);
    assert.equal(readFileSync(join(file, '..', 'config.txt'), 'utf8'), 'changed\n');
  });

  test('settings of the host cannot be changed from a node, a sysctl of the file that would is named', async (t) => {
    const file = scenario(t, 'name: NAME\ntopology:\n  nodes:\n    a: {kind: linux, sysctls: {kernel.panic: 77}, exec: ["sh -c \'exit 3\'"]}\n');
    const log: string[] = [];
    const lab = await Lab.up(file, { log: (line) => log.push(line) });
    assert.deepEqual(log, ['ERROR node a: sysctl kernel.panic cannot be set: only net.* belongs to a node', 'ERROR node a: exec "sh -c \'exit 3\'": exit status 3: ']);
    assert.notEqual((await lab.node('a').exec(['sh', '-c', 'echo 77 > /proc/sys/kernel/panic'])).status, 0);
  });

  test('a BPF file system can be mounted and TUN devices made in a node', async (t) => {
    const { lab } = await labFor(t, twoHosts);
    await lab.node('a').run(['sh', '-c', 'mkdir -p /run/cpn/bpf && mount -t bpf bpf /run/cpn/bpf && ip tuntap add dev punt0 mode tun && ip link show punt0']);
    assert.deepEqual(mountsNaming('/run/cpn/bpf'), []);
  });

  test('a bridge node joins its links into one segment', async (t) => {
    const { lab } = await labFor(
      t,
      `
name: NAME
topology:
  nodes:
    sw: {kind: bridge}
    a: {kind: linux, exec: [ip -6 address add fd00::1/64 dev eth1 nodad]}
    b: {kind: linux, exec: [ip -6 address add fd00::2/64 dev eth1 nodad]}
  links:
    - endpoints: ["sw:p1", "a:eth1"]
    - endpoints: ["sw:p2", "b:eth1"]
`,
    );
    await waitFor(async () => (await lab.node('a').exec(['ping', '-n', '-c', '1', '-W', '1', 'fd00::2'])).status === 0, { timeoutMs: 5000, what: 'a to reach b over the bridge' });
  });
});

describe('the lab command', () => {
  test('up, inspect, exec and down do what they say with the exit statuses of their results', async (t) => {
    const file = scenario(t, twoHosts);
    const up = await labCommand(['up', file]);
    assert.equal(up.status, 0, up.stderr);
    assert.match(up.stdout, /a +│ linux .* running/);
    assert.match(up.stdout, /eth1 up fd00::1\/64/);

    const again = await labCommand(['up', file]);
    assert.equal(again.status, 1);
    assert.match(again.stderr, /is up already .*--reconfigure/);

    assert.deepEqual(await labCommand(['exec', file, 'a', 'sh', '-c', 'cat; echo err >&2; exit 7'], 'input'), { status: 7, stdout: 'input', stderr: 'err\n' });
    assert.equal((await labCommand(['exec', file, 'a', 'sh', '-c', 'kill -9 $$'])).status, 137);
    const wrong = await labCommand(['exec', file, 'nobody', 'true']);
    assert.deepEqual([wrong.status, wrong.stdout], [1, '']);
    assert.match(wrong.stderr, /no node nobody .* expected one of a, b/);

    const inspected = JSON.parse((await labCommand(['inspect', '--json', file])).stdout) as { nodes: { name: string; pid: number; state: string; interfaces: { name: string; addresses: string[] }[] }[] };
    assert.deepEqual(inspected.nodes.map((n) => [n.name, n.state]), [['a', 'running'], ['b', 'running']]);
    assert.ok(inspected.nodes[0]!.interfaces.some((i) => i.name === 'eth1' && i.addresses.includes('fd00::1/64')));

    const before = inspected.nodes[0]!.pid;
    assert.equal((await labCommand(['up', '--reconfigure', file])).status, 0);
    assert.notEqual(Lab.open(file).node('a').init.pid, before);

    assert.equal((await labCommand(['down', file])).status, 0);
    assert.equal((await labCommand(['exec', file, 'a', 'true'])).status, 1);
    assert.equal((await labCommand(['down', file])).status, 0);
  });

  test('a command line that cannot be understood ends with 2, a faulty file with 1 and its line', async (t) => {
    const file = scenario(t, 'name: NAME\ntopology:\n  nodes:\n    a: {kind: linux, bindz: []}\n');
    assert.equal((await labCommand(['frobnicate', file])).status, 2);
    assert.equal((await labCommand(['delay', file, 'a:eth1', 'soon'])).status, 2);
    const faulty = await labCommand(['up', file]);
    assert.equal(faulty.status, 1);
    assert.match(faulty.stderr, /test\.clab\.yml:4: topology\.nodes\.a\.bindz: unknown field/);
    assert.equal((await labCommand(['--help'])).status, 0);
  });

  test('verify runs the check beside the file and passes its exit status and the lab helper', async (t) => {
    const file = scenario(t, twoHosts, { verify: '#!/bin/sh\n[ "$(lab exec a hostname)" = a ] || exit 9\n[ -f "$LAB_FILE" ] || exit 8\nexit "${1:-0}"\n' });
    await Lab.up(file);
    const missing = await labCommand(['verify', file]);
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /not executable/);
    chmodSync(join(file, '..', 'verify'), 0o755);
    assert.equal((await labCommand(['verify', file])).status, 0);
    assert.equal((await labCommand(['verify', file, '5'])).status, 5);
  });

  test('capture shows packets as text and writes them as pcap', async (t) => {
    const { lab, file } = await labFor(t, twoHosts);
    const pcap = join(file, '..', 'out.pcap');
    const toText = labCommand(['capture', file, 'a:eth1', '-c', '2', 'icmp6 and ip6[40] == 128']);
    const toFile = labCommand(['capture', file, 'b:eth1', '-c', '2', '-w', pcap, 'icmp6', 'and', 'ip6[40]', '==', '128']);
    let done = false;
    const both = Promise.all([toText, toFile]).finally(() => (done = true));
    await waitFor(async () => {
      await lab.node('a').exec(['ping', '-n', '-c', '1', '-W', '1', 'fd00::2']);
      return done;
    }, { timeoutMs: 15_000, what: 'both captures to end' });
    const [text, wrote] = await both;
    assert.equal(text.status, 0, text.stderr);
    assert.match(text.stdout, /fd00::1 > fd00::2: ICMP6, echo request/);
    assert.equal(wrote.status, 0, wrote.stderr);
    // The pcap magic number in this machine's order, nanoseconds or microseconds.
    assert.ok([0xa1b2c3d4, 0xa1b23c4d].includes(readFileSync(pcap).readUInt32LE(0)));

    const library = await lab.capture('b:eth1', 'icmp6 and ip6[40] == 129');
    await lab.node('a').run(['ping', '-n', '-c', '3', '-i', '0.01', 'fd00::2']);
    const path = await library.stop();
    const dump = await lab.node('a').run(['sh', '-c', 'tcpdump -n -r - 2>/dev/null'], { input: readFileSync(path) });
    assert.equal(dump.trim().split('\n').length, 3);
    await assert.rejects(lab.capture('a:eth9'), /eth9/);
  });

  test('graph prints Mermaid and Graphviz text without a lab running', async (t) => {
    const file = scenario(t, twoHosts);
    assert.match((await labCommand(['graph', file])).stdout, /graph LR\n {2}n0\["a"\]\n {2}n1\["b"\]\n {2}n0 ---\|"eth1 - eth1"\| n1\n/);
    assert.match((await labCommand(['graph', '--dot', file])).stdout, /"a" -- "b" \[taillabel="eth1", headlabel="eth1"\];/);
  });
});

describe('taking a lab down', () => {
  test('leaves no process, namespace, mount or file, whatever runs in its nodes', async (t) => {
    const { lab, file } = await labFor(t, twoHosts);
    await lab.node('a').run(['sh', '-c', 'mkdir -p /run/cpn/bpf; mount -t bpf bpf /run/cpn/bpf; ip tuntap add dev punt0 mode tun']);
    const sleeper = await lab.node('a').spawn(['sh', '-c', 'trap "" TERM INT HUP; while :; do sleep 1; done']);
    await lab.setDelay('a:eth1', 5);
    const marks = footprint(lab);
    assert.notDeepEqual(marks.left(), []);
    assert.equal(await Lab.down(file), true);
    await sleeper.exited;
    assert.deepEqual(marks.left(), []);
    assert.equal(existsSync(lab.state.directory), false);
    assert.equal(await Lab.down(file), false);
  });

  test('works after the runner was killed at any moment of up', async (t) => {
    const file = scenario(t, twoHosts);
    const name = /^name: (\S+)/m.exec(readFileSync(file, 'utf8'))![1]!;
    const state = new LabState(name);
    for (const progress of [1, 2, 3, 4]) {
      const runner = spawn(process.execPath, [`${checkout}/dist/lab/main.js`, 'up', file], { stdio: 'ignore' });
      const exited = new Promise((resolve) => runner.once('exit', resolve));
      const moments: Record<number, () => boolean> = {
        1: () => state.exists,
        2: () => existsSync(state.nodeDirectory('a')),
        3: () => state.readInit('a') !== undefined,
        4: () => state.readWire() !== undefined && state.readInit('b') !== undefined,
      };
      await waitFor(() => moments[progress]!(), { timeoutMs: 10_000, what: `moment ${progress} of up`, intervalMs: 1 });
      runner.kill('SIGKILL');
      await exited;
      await Lab.down(file);
      // An init process whose runner died before it was known to the state ends by itself.
      await waitFor(() => processesNaming(join(stateRoot(), name)).length === 0, { timeoutMs: 5000, what: `moment ${progress}: all processes to be gone` });
      assert.deepEqual(mountsNaming(name), []);
      assert.equal(state.exists, false);
    }
    const lab = await Lab.up(file);
    await lab.down();
  });

  test('a lab whose processes all died is replaced by up', async (t) => {
    const { lab, file } = await labFor(t, twoHosts);
    for (const holder of lab.state.holders()) process.kill(holder.pid, 'SIGKILL');
    await waitFor(() => lab.state.holders().length === 0, { timeoutMs: 5000, what: 'the processes to end' });
    assert.throws(() => Lab.open(file), /is not up/);
    const next = await Lab.up(file);
    assert.equal((await next.node('a').exec(['true'])).status, 0);
  });

  test('a lab that cannot be made leaves nothing', async (t) => {
    const file = scenario(t, twoHosts.replace('"b:eth1"', '"b:bad name"').replace('bad name', 'bad%n'));
    const topologyName = /^name: (\S+)/m.exec(readFileSync(file, 'utf8'))![1]!;
    await assert.rejects(Lab.up(file), /link add name w0b /);
    assert.deepEqual(processesNaming(join(stateRoot(), topologyName)), []);
    assert.equal(new LabState(topologyName).exists, false);
  });
});
