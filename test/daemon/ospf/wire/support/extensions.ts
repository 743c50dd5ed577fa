/** A link with all that RFC 5329 and RFC 7471 say of it. */
import type { TeLink } from '../../../../../daemon/ospf/wire/types.js';

export const TE_LINK: TeLink = {
  linkType: 1,
  teMetric: 10,
  maximumBandwidth: 125_000_000,
  maximumReservable: 62_500_000,
  neighbor: { interfaceId: 5, routerId: 0x0a000002 },
  delay: { us: 1000, anomalous: false },
  delayRange: { minimumUs: 900, maximumUs: 2000, anomalous: true },
  delayVariationUs: 20,
  loss: { value: 10_417, anomalous: true },
  residualBandwidth: 100_000_000,
  availableBandwidth: 80_000_000,
  utilizedBandwidth: 20_000_000,
  local: ['2001:db8:1::1'],
  remote: ['2001:db8:1::2'],
};
