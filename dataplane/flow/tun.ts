/** The punt TUN: a persistent device, so that a crash of the daemon does not take the routes of the service prefixes with it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { native, type NativeError } from '../native/index.js';

// From linux/sockios.h and linux/if.h.
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFMTU = 0x8922;
const SIOCSIFTXQLEN = 0x8943;
const IFF_UP = 1;
const IFREQ_LENGTH = 40;
const IFREQ_VALUE = 16;

const AF_INET6 = 10;
const SOCK_DGRAM = 2;

/** Packets that may wait for the daemon. */
export const TUN_QUEUE_LENGTH = 10_000;

export interface Tun {
  readonly name: string;
  readonly ifindex: number;
  readonly fd: number;
  setMtu(mtu: number): void;
  /** Packets the kernel dropped because the queue was full. */
  dropped(): number;
  /** Closes the descriptor; the device stays. */
  close(): void;
}

function withControlSocket<T>(body: (fd: number) => T): T {
  const fd = native.socket(AF_INET6, SOCK_DGRAM, 0);
  try {
    return body(fd);
  } finally {
    native.close(fd);
  }
}

function ifreq(name: string, value = 0): Uint8Array {
  const request = new Uint8Array(IFREQ_LENGTH);
  request.set(Buffer.from(name));
  new DataView(request.buffer).setInt32(IFREQ_VALUE, value, true);
  return request;
}

function setMtu(name: string, mtu: number): void {
  withControlSocket((fd) => native.ioctl(fd, SIOCSIFMTU, ifreq(name, mtu)));
}

function setUp(name: string): void {
  withControlSocket((fd) => {
    const request = ifreq(name);
    native.ioctl(fd, SIOCGIFFLAGS, request);
    const view = new DataView(request.buffer);
    view.setInt16(IFREQ_VALUE, view.getInt16(IFREQ_VALUE, true) | IFF_UP, true);
    native.ioctl(fd, SIOCSIFFLAGS, request);
  });
}

/** Column "drop" of the transmit side in /proc/net/dev, which always shows the caller's own network namespace. */
function transmitDrops(name: string): number {
  const line = readFileSync('/proc/net/dev', 'utf8')
    .split('\n')
    .find((candidate) => candidate.trimStart().startsWith(`${name}:`));
  const columns = line?.slice(line.indexOf(':') + 1).trim().split(/\s+/) ?? [];
  return Number(columns[11] ?? 0);
}

function openDevice(name: string): number {
  try {
    return native.openTun(name, true);
  } catch (error) {
    const { code, message } = error as NativeError;
    if (code === 'EBUSY') throw new Error(`the TUN ${name} is in use: another cpnd runs in this network namespace`, { cause: error });
    if (code === 'ENOENT') throw new Error(`this kernel has no TUN, or /dev/net/tun is missing (CONFIG_TUN): ${message}`, { cause: error });
    throw error;
  }
}

/** Makes or takes over the device and brings it up. Throws an Error that says why not. */
export function openTun(name: string, mtu: number): Tun {
  const fd = openDevice(name);
  try {
    // No link-local address: the kernel has nothing to say on this device (RFC 4861 does not apply, only its reader is there).
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/addr_gen_mode`, '1');
    withControlSocket((socket) => native.ioctl(socket, SIOCSIFTXQLEN, ifreq(name, TUN_QUEUE_LENGTH)));
    setMtu(name, mtu);
    setUp(name);
  } catch (error) {
    native.close(fd);
    throw error;
  }
  return {
    name,
    fd,
    ifindex: native.ifNameToIndex(name),
    setMtu: (value) => setMtu(name, value),
    dropped: () => transmitDrops(name),
    close: () => native.close(fd),
  };
}

/** Takes the device away, if there is one; nobody may have it open. */
export function removeTun(name: string): void {
  const devices = readFileSync('/proc/net/dev', 'utf8').split('\n');
  if (!devices.some((line) => line.trimStart().startsWith(`${name}:`))) return;
  // Without persistence it goes with its last descriptor.
  native.close(native.openTun(name, false));
}
