/** What cpnd needs of a host, read from /proc and /sys: works without the daemon. Host access is injected for tests. */
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import type { DoctorCheck } from '../daemon/northbound/facade.js';

export interface Host {
  /** Text of a file, undefined when it cannot be read. */
  read(path: string): string | undefined;
  /** Names in a folder, empty when it cannot be read. */
  list(path: string): readonly string[];
  /** Whether this process may read and write the file. */
  writable(path: string): boolean;
}

export const realHost: Host = {
  read(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  },
  list(path) {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  },
  writable(path) {
    try {
      accessSync(path, constants.R_OK | constants.W_OK);
      return true;
    } catch {
      return false;
    }
  },
};

const CONF6 = '/proc/sys/net/ipv6/conf';
const CONF4 = '/proc/sys/net/ipv4/conf';

/** Bits of capabilities(7) that cpnd uses, and for what. */
const CAPABILITIES: readonly (readonly [name: string, bit: number, use: string])[] = [
  ['CAP_NET_ADMIN', 12, 'routes, SIDs, TUN'],
  ['CAP_NET_RAW', 13, 'health checks by ICMPv6'],
  ['CAP_BPF', 39, 'the flow table'],
];
const CAP_SYS_ADMIN = 21; // implies CAP_BPF
/** A client packet of 1280 octets (RFC 8200 section 5) with an outer header and an SRH of three segments: 40 + 8 + 3 * 16 more. */
const LEAST_MTU = 1280 + 96;

const ok = (name: string, detail: string): DoctorCheck => ({ name, status: 'ok', detail, mend: '' });

/** `edge`: interfaces that no packet to a SID may come in by, since they lead to clients and nodes. */
export function hostChecks(host: Host, edge: ReadonlySet<string> = new Set()): DoctorCheck[] {
  return [forwarding(host), segmentRouting(host, edge), reversePath(host), bpf(host), tun(host), capabilities(host), mtu(host)];
}

const value = (host: Host, path: string): string | undefined => host.read(path)?.trim();

function forwarding(host: Host): DoctorCheck {
  const name = 'ipv6-forwarding';
  const all = value(host, `${CONF6}/all/forwarding`);
  if (all === undefined) return { name, status: 'fail', detail: 'this kernel has no IPv6', mend: 'use a kernel with CONFIG_IPV6, without ipv6.disable=1' };
  if (all !== '1') return { name, status: 'fail', detail: 'net.ipv6.conf.all.forwarding is 0', mend: 'sysctl -w net.ipv6.conf.all.forwarding=1' };
  return ok(name, 'net.ipv6.conf.all.forwarding is 1');
}

/** SRv6 packets addressed to a SID are processed only where seg6_enabled is set on `all` and on the interface they come in (kernel: the least of both). */
function segmentRouting(host: Host, edge: ReadonlySet<string>): DoctorCheck {
  const name = 'seg6-enabled';
  const all = value(host, `${CONF6}/all/seg6_enabled`);
  if (all === undefined) return { name, status: 'fail', detail: 'this kernel has no SRv6', mend: 'use a kernel with CONFIG_IPV6_SEG6_LWTUNNEL' };
  const needed = (entry: string): boolean => entry !== 'default' && entry !== 'lo' && !edge.has(entry) && host.read(`/sys/class/net/${entry}/tun_flags`) === undefined;
  const off = host.list(CONF6).filter((entry) => needed(entry) && value(host, `${CONF6}/${entry}/seg6_enabled`) === '0');
  if (off.length > 0) {
    return {
      name,
      status: off.includes('all') ? 'fail' : 'warn',
      detail: `net.ipv6.conf.*.seg6_enabled is 0 for ${off.join(', ')}: packets to SIDs that come in there are dropped`,
      mend: off.map((entry) => `sysctl -w net.ipv6.conf.${entry}.seg6_enabled=1`).join('; '),
    };
  }
  return ok(name, 'seg6_enabled is 1 wherever packets to SIDs come in');
}

/** Answers of nodes leave by other interfaces than the requests came: strict reverse-path filtering drops them (IPv4 only; IPv6 has none). */
function reversePath(host: Host): DoctorCheck {
  const name = 'rp-filter';
  const all = Number(value(host, `${CONF4}/all/rp_filter`) ?? 0);
  const strict = host.list(CONF4).filter((entry) => !['all', 'default', 'lo'].includes(entry) && Math.max(all, Number(value(host, `${CONF4}/${entry}/rp_filter`) ?? 0)) === 1);
  if (strict.length === 0) return ok(name, 'no strict IPv4 reverse-path filter');
  return { name, status: 'warn', detail: `strict IPv4 reverse-path filter on ${strict.join(', ')}: IPv4 services may lose packets`, mend: 'sysctl -w net.ipv4.conf.all.rp_filter=2' };
}

function bpf(host: Host): DoctorCheck {
  const name = 'bpf';
  if (!/^nodev\s+bpf$/m.test(host.read('/proc/filesystems') ?? '')) {
    return { name, status: 'fail', detail: 'this kernel has no BPF file system', mend: 'use a kernel with CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS' };
  }
  if (value(host, '/proc/sys/net/core/bpf_jit_enable') === '0') {
    return { name, status: 'warn', detail: 'the BPF compiler is off: pinned flows are forwarded several times slower', mend: 'sysctl -w net.core.bpf_jit_enable=1' };
  }
  return ok(name, 'BPF with compiler');
}

function tun(host: Host): DoctorCheck {
  const name = 'tun';
  if (host.writable('/dev/net/tun')) return ok(name, '/dev/net/tun can be opened');
  const missing = !host.list('/dev/net').includes('tun');
  return {
    name,
    status: missing ? 'fail' : 'warn',
    detail: missing ? '/dev/net/tun is missing' : '/dev/net/tun cannot be opened by this user',
    mend: missing ? 'modprobe tun; in a container: --device /dev/net/tun' : 'run cpnd (and this check) as root',
  };
}

function capabilities(host: Host): DoctorCheck {
  const name = 'capabilities';
  const line = /^CapEff:\s*([\da-f]+)$/m.exec(host.read('/proc/self/status') ?? '')?.[1];
  const effective = BigInt(`0x${line ?? '0'}`);
  const has = (bit: number): boolean => ((effective >> BigInt(bit)) & 1n) === 1n;
  const missing = CAPABILITIES.filter(([capability, bit]) => !has(bit) && !(capability === 'CAP_BPF' && has(CAP_SYS_ADMIN)));
  if (missing.length === 0) return ok(name, CAPABILITIES.map(([capability]) => capability).join(', '));
  return { name, status: 'warn', detail: `this user lacks ${missing.map(([capability, , use]) => `${capability} (${use})`).join(', ')}`, mend: 'run cpnd as root or grant it these capabilities' };
}

function mtu(host: Host): DoctorCheck {
  const name = 'mtu';
  const small = host
    .list('/sys/class/net')
    .filter((entry) => entry !== 'lo')
    .map((entry) => [entry, Number(value(host, `/sys/class/net/${entry}/mtu`) ?? LEAST_MTU)] as const)
    .filter(([, octets]) => octets < LEAST_MTU);
  if (small.length === 0) return ok(name, `every interface carries a 1280-octet packet with three segments (${LEAST_MTU} octets)`);
  return {
    name,
    status: 'warn',
    detail: `${small.map(([entry, octets]) => `${entry} has ${octets}`).join(', ')}: less than ${LEAST_MTU}, a 1280-octet packet with three segments does not fit`,
    mend: small.map(([entry]) => `ip link set ${entry} mtu 1500`).join('; '),
  };
}
