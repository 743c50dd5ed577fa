/** Names of route protocol numbers (linux/rtnetlink.h, FRR), to say whose a route is. */
const NAMES: Readonly<Record<number, string>> = {
  1: 'redirect',
  2: 'kernel',
  3: 'boot',
  4: 'static',
  9: 'router advertisement',
  11: 'zebra',
  12: 'bird',
  16: 'dhcp',
  17: 'mrouted',
  18: 'keepalived',
  42: 'babel',
  99: 'openr',
  186: 'bgp',
  187: 'isis',
  188: 'ospf',
  189: 'rip',
  192: 'eigrp',
  196: 'frr static',
};

export const protocolName = (protocol: number): string => NAMES[protocol] ?? String(protocol);
