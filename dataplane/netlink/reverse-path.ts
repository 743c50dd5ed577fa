/**
 * IPv4 reverse path filtering (RFC 3704) on a router of IPv4 services: the route to a service leads to the punt TUN, but its answers come in by other
 * interfaces, which strict filtering would drop. Linux drops them in loose mode too where the interface has no IPv4 address, as in an IPv6 core.
 *
 * In force on an interface is the greater of `all` and its own value (ip-sysctl.rst), so `all` gives way to the values of the interfaces first: those that are
 * not to change filter as before.
 */
import type { InterfaceRole } from '../dataplane.js';
import { listSysctl, readSysctl, writeSysctl } from './sysctl.js';

const STRICT = 1;
const LOOSE = 2;

export interface FilteredInterface {
  readonly name: string;
  readonly role: InterfaceRole;
  /** "address/length". */
  readonly addresses: readonly string[];
}

const read = (name: string): number => Number(readSysctl('net', 'ipv4', 'conf', name, 'rp_filter'));
const write = (name: string, value: number): boolean => writeSysctl(value, 'net', 'ipv4', 'conf', name, 'rp_filter');

/** Client interfaces are left as they are: what comes in there has its way back there. Throws SysctlError. */
export function relaxReversePath(interfaces: readonly FilteredInterface[]): void {
  const all = read('all');
  if (all > 0) {
    for (const name of listSysctl('net', 'ipv4', 'conf')) if (name !== 'all' && read(name) < all) write(name, all);
    write('all', 0);
  }
  for (const { name, role, addresses } of interfaces) {
    if (role === 'client') continue;
    if (!addresses.some((address) => address.includes('.') && !address.includes(':'))) write(name, 0);
    else if (read(name) === STRICT) write(name, LOOSE);
  }
}
