/** Reads arguments and option values; what does not fit is a usage error (exit status 2). */
import { InvalidArgumentError } from 'commander';
import type { InstanceRef } from '../daemon/northbound/facade.js';
import { canonicalIp, Prefix } from '../dataplane/packet/ip.js';

export function address(text: string): string {
  const canonical = canonicalIp(text);
  if (canonical === undefined) throw new InvalidArgumentError('Expected an IPv4 or IPv6 address.');
  return canonical;
}

export function prefix(text: string): string {
  const parsed = Prefix.parse(text);
  if (!parsed) throw new InvalidArgumentError('Expected ADDRESS or ADDRESS/LENGTH.');
  return parsed.toString();
}

/** A reader of whole numbers from `least` to `most`. */
export function whole(least: number, most = 0xffff_ffff): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
    return value;
  };
}

const SCALES: Readonly<Record<string, number>> = { '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const MOST_64 = (1n << 64n) - 1n;

/** A 64-bit quantity: 8000000, 8e12, 1.5e13, 8T, 2.5G (powers of 1000). */
export function quantity(text: string): bigint {
  const match = /^(\d+)(?:\.(\d+))?(?:e\+?(\d{1,2}))?([kMGTPE]?)$/.exec(text);
  if (!match) throw new InvalidArgumentError('Expected a number such as 500000, 8e12 or 8T.');
  const [, integer = '', fraction = '', exponent = '0', scale = ''] = match;
  const shift = Number(exponent) + SCALES[scale]! - fraction.length;
  if (shift < 0) throw new InvalidArgumentError('Expected a whole number.');
  const value = BigInt(integer + fraction) * 10n ** BigInt(shift);
  if (value > MOST_64) throw new InvalidArgumentError('Expected at most 64 bits.');
  return value;
}

/** A percentage, 0 to 100 with up to two decimals, in hundredths of a percent. */
export function percent(text: string): number {
  const value = Number(text.replace(/%$/, ''));
  if (!/^\d+(\.\d{1,2})?%?$/.test(text) || value > 100) throw new InvalidArgumentError('Expected a percentage from 0 to 100.');
  return Math.round(value * 100);
}

/** SERVICE#ID, or ID alone. */
export function instance(text: string): InstanceRef {
  const [id, service] = text.split('#').reverse();
  if (text.split('#').length > 2) throw new InvalidArgumentError('Expected SERVICE#ID or ID.');
  return { service: service === undefined ? undefined : address(service), id: whole(1)(id ?? '') };
}

export interface Weights {
  readonly latency: number;
  readonly energy: number;
  readonly utilisation: number;
  readonly price: number;
}

/** latency=3,energy=1 ...: weights 0 to 255, the others 0. */
export function objective(text: string): Weights {
  const weights = { latency: 0, energy: 0, utilisation: 0, price: 0 };
  for (const part of text.split(',')) {
    const [name = '', value = '1'] = part.split('=');
    if (!Object.hasOwn(weights, name)) throw new InvalidArgumentError('Expected names of latency, energy, utilisation, price, such as latency=3,price=1.');
    weights[name as keyof typeof weights] = whole(0, 255)(value);
  }
  return weights;
}
