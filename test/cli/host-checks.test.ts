import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostChecks, realHost, type Host } from '../../cli/host-checks.js';

const GOOD: Readonly<Record<string, string>> = {
  '/proc/sys/net/ipv6/conf/all/forwarding': '1\n',
  '/proc/sys/net/ipv6/conf/all/seg6_enabled': '1\n',
  '/proc/sys/net/ipv6/conf/eth0/seg6_enabled': '1\n',
  '/proc/sys/net/ipv4/conf/all/rp_filter': '0\n',
  '/proc/sys/net/ipv4/conf/eth0/rp_filter': '0\n',
  '/proc/filesystems': 'nodev\tsysfs\nnodev\tbpf\n\text4\n',
  '/proc/sys/net/core/bpf_jit_enable': '1\n',
  '/proc/self/status': 'Name:\tcpnctl\nCapEff:\t000001ffffffffff\n',
  '/sys/class/net/eth0/mtu': '1500\n',
  '/dev/net/tun': '',
};

function host(changes: Readonly<Record<string, string | undefined>> = {}, writable = true): Host {
  const files = new Map(Object.entries({ ...GOOD, ...changes }).filter((entry): entry is [string, string] => entry[1] !== undefined));
  return {
    read: (path) => files.get(path),
    list: (path) => [...new Set([...files.keys()].filter((file) => file.startsWith(`${path}/`)).map((file) => file.slice(path.length + 1).split('/')[0]!))],
    writable: (path) => writable && files.has(path),
  };
}

const bad = (checked: Host): string[] => hostChecks(checked).filter(({ status }) => status !== 'ok').map(({ name, status, mend }) => `${status} ${name}: ${mend}`);

describe('host checks', () => {
  it('a good host passes', () => assert.deepEqual(bad(host()), []));

  it('IPv6 forwarding must be on', () => {
    assert.deepEqual(bad(host({ '/proc/sys/net/ipv6/conf/all/forwarding': '0\n' })), ['fail ipv6-forwarding: sysctl -w net.ipv6.conf.all.forwarding=1']);
    assert.match(bad(host({ '/proc/sys/net/ipv6/conf/all/forwarding': undefined }))[0]!, /^fail ipv6-forwarding/);
  });

  it('seg6_enabled must be on everywhere', () => {
    assert.deepEqual(bad(host({ '/proc/sys/net/ipv6/conf/eth0/seg6_enabled': '0\n' })), ['warn seg6-enabled: sysctl -w net.ipv6.conf.eth0.seg6_enabled=1']);
    assert.deepEqual(bad(host({ '/proc/sys/net/ipv6/conf/all/seg6_enabled': '0\n' })), ['fail seg6-enabled: sysctl -w net.ipv6.conf.all.seg6_enabled=1']);
    assert.match(bad(host({ '/proc/sys/net/ipv6/conf/all/seg6_enabled': undefined }))[0]!, /^fail seg6-enabled.*SEG6_LWTUNNEL/);
  });

  it('but not on interfaces to clients and nodes, nor on TUN devices', () => {
    const files = { '/proc/sys/net/ipv6/conf/eth0/seg6_enabled': '0\n', '/proc/sys/net/ipv6/conf/cpn0/seg6_enabled': '0\n', '/sys/class/net/cpn0/tun_flags': '0x1001\n', '/sys/class/net/cpn0/mtu': '65472\n' };
    assert.deepEqual(hostChecks(host(files), new Set(['eth0'])).filter(({ status }) => status !== 'ok'), []);
    assert.equal(bad(host(files)).length, 1);
  });

  it('a strict reverse-path filter is a warning, a loose one is not', () => {
    assert.deepEqual(bad(host({ '/proc/sys/net/ipv4/conf/eth0/rp_filter': '1\n' })), ['warn rp-filter: sysctl -w net.ipv4.conf.all.rp_filter=2']);
    assert.deepEqual(bad(host({ '/proc/sys/net/ipv4/conf/eth0/rp_filter': '1\n', '/proc/sys/net/ipv4/conf/all/rp_filter': '2\n' })), []);
  });

  it('BPF, TUN, capabilities and MTU', () => {
    assert.match(bad(host({ '/proc/filesystems': 'nodev\tsysfs\n' }))[0]!, /^fail bpf/);
    assert.match(bad(host({ '/proc/sys/net/core/bpf_jit_enable': '0\n' }))[0]!, /^warn bpf/);
    assert.match(bad(host({ '/dev/net/tun': undefined }))[0]!, /^fail tun: modprobe tun/);
    assert.match(bad(host({}, false))[0]!, /^warn tun/);
    assert.match(bad(host({ '/proc/self/status': 'CapEff:\t0000000000000000\n' }))[0]!, /^warn capabilities/);
    assert.deepEqual(bad(host({ '/proc/self/status': 'CapEff:\t0000000000203000\n' })), [], 'SYS_ADMIN stands for BPF');
    assert.deepEqual(bad(host({ '/sys/class/net/eth0/mtu': '1280\n' })), ['warn mtu: ip link set eth0 mtu 1500']);
  });

  it('read this host without failing', () => assert.equal(hostChecks(realHost).length, 7));
});
