/** Interfaces of the wire namespace: whether they are up, whether their peers are, and word of changes. */
import { readFileSync } from 'node:fs';
import { native } from '../../dataplane/native/index.js';

const AF_INET = 2;
const AF_NETLINK = 16;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
const RTMGRP_LINK = 1;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
/** struct ifreq: 16 octets of name, then the flags. */
const ifreqOctets = 40;
const flagsAt = 16;

/** `down`: administratively; `no-carrier`: the node's interface is down; `gone`: it was deleted, and this end with it. */
export type EndState = 'down' | 'no-carrier' | 'carrier' | 'gone';

/** Reads sysfs, which has the carrier at once where the operational state lags behind. */
export function endState(name: string): EndState {
  try {
    return readFileSync(`/sys/class/net/${name}/carrier`, 'latin1').startsWith('1') ? 'carrier' : 'no-carrier';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // An interface that is down has no carrier to be read.
    if (code === 'EINVAL') return 'down';
    if (code === 'ENOENT' || code === 'ENODEV') return 'gone';
    throw error;
  }
}

let control = -1;

/** Sets an interface up or down. Throws NativeError. */
export function setEnd(name: string, up: boolean): void {
  if (control < 0) control = native.socket(AF_INET, SOCK_DGRAM, 0);
  const request = new Uint8Array(ifreqOctets);
  request.set(Buffer.from(name, 'latin1'));
  native.ioctl(control, SIOCGIFFLAGS, request);
  const view = new DataView(request.buffer);
  const flags = view.getUint16(flagsAt, true);
  view.setUint16(flagsAt, up ? flags | IFF_UP : flags & ~IFF_UP, true);
  native.ioctl(control, SIOCSIFFLAGS, request);
}

/** Calls `changed` after every change of an interface of this namespace (several may be one call). */
export function watchEnds(changed: () => void): void {
  const fd = native.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  const address = new Uint8Array(12);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_NETLINK, true);
  view.setUint32(8, RTMGRP_LINK, true);
  native.bind(fd, address);
  const arena = new Uint8Array(64 * 4096);
  const lengths = new Int32Array(64);
  native.poll(fd, 1, () => {
    try {
      while (native.recvBatch(fd, arena, lengths, null, null, null) === lengths.length);
    } catch (error) {
      // Messages were lost because too many came at once: what they said is looked up anyway.
      if ((error as { code?: string }).code !== 'ENOBUFS') throw error;
    }
    changed();
  });
}
