/** Names of NOTIFICATION codes and subcodes (RFC 4271 section 4.5 and its successors), for logs and displays. */

/** Cease subcodes (RFC 4486, RFC 8538, RFC 9384). */
export const Cease = {
  maximumPrefixes: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  administrativeReset: 4,
  connectionRejected: 5,
  otherConfigurationChange: 6,
  connectionCollision: 7,
  outOfResources: 8,
  hardReset: 9,
} as const;

const names: Readonly<Record<number, { readonly name: string; readonly subcodes: readonly (string | undefined)[] }>> = {
  1: { name: 'Message Header Error', subcodes: [undefined, 'Connection Not Synchronized', 'Bad Message Length', 'Bad Message Type'] },
  2: {
    name: 'OPEN Message Error',
    subcodes: [
      undefined,
      'Unsupported Version Number',
      'Bad Peer AS',
      'Bad BGP Identifier',
      'Unsupported Optional Parameter',
      undefined,
      'Unacceptable Hold Time',
      'Unsupported Capability',
    ],
  },
  3: {
    name: 'UPDATE Message Error',
    subcodes: [
      undefined,
      'Malformed Attribute List',
      'Unrecognized Well-known Attribute',
      'Missing Well-known Attribute',
      'Attribute Flags Error',
      'Attribute Length Error',
      'Invalid ORIGIN Attribute',
      undefined,
      'Invalid NEXT_HOP Attribute',
      'Optional Attribute Error',
      'Invalid Network Field',
      'Malformed AS_PATH',
    ],
  },
  4: { name: 'Hold Timer Expired', subcodes: [] },
  5: {
    name: 'Finite State Machine Error',
    subcodes: [undefined, 'Unexpected Message in OpenSent', 'Unexpected Message in OpenConfirm', 'Unexpected Message in Established'],
  },
  6: {
    name: 'Cease',
    subcodes: [
      undefined,
      'Maximum Number of Prefixes Reached',
      'Administrative Shutdown',
      'Peer De-configured',
      'Administrative Reset',
      'Connection Rejected',
      'Other Configuration Change',
      'Connection Collision Resolution',
      'Out of Resources',
      'Hard Reset',
      'BFD Down',
    ],
  },
  7: { name: 'ROUTE-REFRESH Message Error', subcodes: [undefined, 'Invalid Message Length'] },
  8: { name: 'Send Hold Timer Expired', subcodes: [] },
};

/** For example `Cease / Administrative Shutdown (6/2)`. */
export function notificationText(code: number, subcode: number): string {
  const known = names[code];
  const detail = known?.subcodes[subcode];
  return `${known?.name ?? 'Unknown'}${detail === undefined ? '' : ` / ${detail}`} (${code}/${subcode})`;
}
