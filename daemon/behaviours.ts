/** SRv6 endpoint behaviours by code point (RFC 8986 section 10.2) for display. */
export const BEHAVIOUR_NAMES: Readonly<Record<number, string>> = {
  0x0001: 'End',
  0x0005: 'End.X',
  0x0010: 'End.DX6',
  0x0011: 'End.DX4',
  0x0012: 'End.DT6',
  0x0013: 'End.DT4',
  0x0014: 'End.DT46',
  0xffff: 'opaque',
};
