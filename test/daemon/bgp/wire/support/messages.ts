/** Messages put together from hexadecimal text, without the encoders under test. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { decodeMessage } from '../../../../../daemon/bgp/wire/decode.js';
import type { DecodeContext, Message, SessionFault, UpdateMessage } from '../../../../../daemon/bgp/wire/types.js';
import { hex } from '../../../../vectors/load.js';
import { PLAIN } from './session.js';

const u16 = (value: number): string => value.toString(16).padStart(4, '0');
const u8 = (value: number): string => value.toString(16).padStart(2, '0');

/** A whole message of a type. */
export function message(type: number, body: string): Uint8Array {
  return hex('ff'.repeat(16) + u16(19 + hex(body).length) + u8(type) + body);
}

export function update({ withdrawn = '', attributes = [], nlri = '' }: { withdrawn?: string; attributes?: readonly string[]; nlri?: string }): Uint8Array {
  const list = attributes.join('');
  return message(2, u16(hex(withdrawn).length) + withdrawn + u16(hex(list).length) + list + nlri);
}

/** Flags, type, length and value of an attribute, with a 16-bit length where the flags say so. */
export function attribute(flags: number, type: number, value: string): string {
  const length = hex(value).length;
  return u8(flags) + u8(type) + ((flags & 0x10) !== 0 ? u16(length) : u8(length)) + value;
}

/** Sound attributes of an announcement. */
export const ORIGIN = attribute(0x40, 1, '00');
export const AS_PATH = attribute(0x40, 2, '0201 0000fde8');
export const NEXT_HOP = attribute(0x40, 3, 'c0000201');
export const MP_NEXT_HOP = '20010db8000000000000000000000001';
/** 2001:db8:cafe::1/128 by 2001:db8::1. */
export const MP_REACH = attribute(0x80, 14, `0002 01 10 ${MP_NEXT_HOP} 00 80 20010db8cafe00000000000000000001`);
export const MP_UNREACH = attribute(0x80, 15, '0002 01 30 20010db8bbbb');
/** 198.51.100.0/24. */
export const NLRI = '18c63364';

export const IBGP: DecodeContext = PLAIN;
export const EBGP: DecodeContext = { ...PLAIN, ibgp: false };
export const OLD: DecodeContext = { ...PLAIN, fourOctetAs: false };

export function decoded(octets: Uint8Array, context: DecodeContext = IBGP): Message {
  const result = decodeMessage(octets, context);
  assert.ok(result.ok, inspect(result));
  return result.message;
}

export function decodedUpdate(octets: Uint8Array, context: DecodeContext = IBGP): UpdateMessage {
  const value = decoded(octets, context);
  assert.equal(value.type, 'update');
  return value;
}

export function faultOf(octets: Uint8Array, context: DecodeContext = IBGP): SessionFault {
  const result = decodeMessage(octets, context);
  assert.ok(!result.ok, inspect(result));
  return result.fault;
}
