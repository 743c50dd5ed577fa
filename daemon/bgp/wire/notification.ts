/** NOTIFICATION codes and subcodes with their IANA names, and the texts that Cease can carry (RFC 4271 section 4.5, RFC 4486, RFC 9003). */
import { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import type { Notification, SessionFault } from './types.js';

export const ErrorCode = {
  messageHeader: 1,
  open: 2,
  update: 3,
  holdTimerExpired: 4,
  finiteStateMachine: 5,
  cease: 6,
  routeRefresh: 7, // RFC 7313
  sendHoldTimerExpired: 8, // RFC 9687
} as const;

export const HeaderSubcode = { connectionNotSynchronized: 1, badMessageLength: 2, badMessageType: 3 } as const;

export const OpenSubcode = {
  unspecific: 0,
  unsupportedVersionNumber: 1,
  badPeerAs: 2,
  badBgpIdentifier: 3,
  unsupportedOptionalParameter: 4,
  unacceptableHoldTime: 6,
  unsupportedCapability: 7, // RFC 5492
  roleMismatch: 11, // RFC 9234
} as const;

export const UpdateSubcode = {
  malformedAttributeList: 1,
  unrecognizedWellKnownAttribute: 2,
  missingWellKnownAttribute: 3,
  attributeFlagsError: 4,
  attributeLengthError: 5,
  invalidOrigin: 6,
  invalidNextHop: 8,
  optionalAttributeError: 9,
  invalidNetworkField: 10,
  malformedAsPath: 11,
} as const;

/** RFC 4486, RFC 8538, RFC 9384. */
export const CeaseSubcode = {
  maximumPrefixes: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  administrativeReset: 4,
  connectionRejected: 5,
  otherConfigurationChange: 6,
  connectionCollisionResolution: 7,
  outOfResources: 8,
  hardReset: 9,
  bfdDown: 10,
} as const;

const CODE_NAMES: Readonly<Record<number, string>> = {
  1: 'Message Header Error',
  2: 'OPEN Message Error',
  3: 'UPDATE Message Error',
  4: 'Hold Timer Expired',
  5: 'Finite State Machine Error',
  6: 'Cease',
  7: 'ROUTE-REFRESH Message Error',
  8: 'Send Hold Timer Expired',
};

const SUBCODE_NAMES: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  1: { 1: 'Connection Not Synchronized', 2: 'Bad Message Length', 3: 'Bad Message Type' },
  2: {
    1: 'Unsupported Version Number',
    2: 'Bad Peer AS',
    3: 'Bad BGP Identifier',
    4: 'Unsupported Optional Parameter',
    6: 'Unacceptable Hold Time',
    7: 'Unsupported Capability',
    11: 'Role Mismatch',
  },
  3: {
    1: 'Malformed Attribute List',
    2: 'Unrecognized Well-known Attribute',
    3: 'Missing Well-known Attribute',
    4: 'Attribute Flags Error',
    5: 'Attribute Length Error',
    6: 'Invalid ORIGIN Attribute',
    8: 'Invalid NEXT_HOP Attribute',
    9: 'Optional Attribute Error',
    10: 'Invalid Network Field',
    11: 'Malformed AS_PATH',
  },
  5: { 1: 'Unexpected Message in OpenSent State', 2: 'Unexpected Message in OpenConfirm State', 3: 'Unexpected Message in Established State' },
  6: {
    1: 'Maximum Number of Prefixes Reached',
    2: 'Administrative Shutdown',
    3: 'Peer De-configured',
    4: 'Administrative Reset',
    5: 'Connection Rejected',
    6: 'Other Configuration Change',
    7: 'Connection Collision Resolution',
    8: 'Out of Resources',
    9: 'Hard Reset',
    10: 'BFD Down',
  },
  7: { 1: 'Invalid Message Length' },
};

const NO_DATA = new Uint8Array(0);

export function notification(code: number, subcode: number, data: Uint8Array = NO_DATA): Notification {
  return { code, subcode, data };
}

/** A fault that ends the session with the given NOTIFICATION. */
export function sessionFault(section: string, reason: string, answer: Notification, attribute?: number, raw?: Uint8Array): SessionFault {
  return { section, attribute, disposition: 'sessionReset', reason, notification: answer, raw };
}

/** The NOTIFICATION that a Hard Reset carries (RFC 8538 section 3.1); undefined when this is none or carries none. */
export function hardResetContent({ code, subcode, data }: Notification): Notification | undefined {
  if (code !== ErrorCode.cease || subcode !== CeaseSubcode.hardReset || data.length < 2) return undefined;
  return notification(data[0]!, data[1]!, data.subarray(2));
}

/** A Cease as a Hard Reset, after which a peer of RFC 8538 keeps no route of ours (section 3.1). */
export function hardReset({ code, subcode, data }: Notification): Notification {
  return notification(ErrorCode.cease, CeaseSubcode.hardReset, new Writer(2 + data.length).u8(code).u8(subcode).octets(data).finish());
}

/** Longest shutdown communication, octets of UTF-8 (RFC 9003 section 2). */
const MAX_SHUTDOWN_COMMUNICATION = 255;

/** The operator's words in an Administrative Shutdown or Reset, also inside a Hard Reset; undefined when absent, too long for the data or not UTF-8. */
export function shutdownCommunication(message: Notification): string | undefined {
  const { code, subcode, data } = hardResetContent(message) ?? message;
  if (code !== ErrorCode.cease || (subcode !== CeaseSubcode.administrativeShutdown && subcode !== CeaseSubcode.administrativeReset)) return undefined;
  const reader = new Reader(data);
  const text = reader.octets(reader.u8());
  if (!reader.ok || text.length === 0) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(text);
  } catch {
    return undefined;
  }
}

/** A Cease without data. */
export const cease = (subcode: number): Notification => notification(ErrorCode.cease, subcode);

/** A Cease with the operator's words, cut at a character boundary to fit 255 octets. */
export function ceaseWithCommunication(subcode: number, text: string): Notification {
  const octets = new Uint8Array(MAX_SHUTDOWN_COMMUNICATION);
  const { written } = new TextEncoder().encodeInto(text, octets);
  return notification(ErrorCode.cease, subcode, written === 0 ? NO_DATA : new Writer(1 + written).u8(written).octets(octets.subarray(0, written)).finish());
}

/** For example `Cease: Administrative Shutdown ("maintenance")`. Unknown codes are shown as numbers. */
export function describeNotification(message: Notification): string {
  const { code, subcode } = message;
  const head = CODE_NAMES[code] ?? `error ${code}`;
  const tail = SUBCODE_NAMES[code]?.[subcode] ?? (subcode === 0 ? undefined : `subcode ${subcode}`);
  const name = tail === undefined ? head : `${head}: ${tail}`;
  const inner = hardResetContent(message);
  if (inner) return `${name} (${describeNotification(inner)})`;
  const text = shutdownCommunication(message);
  return text === undefined ? name : `${name} (${JSON.stringify(text)})`;
}
