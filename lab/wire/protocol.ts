/** What commands and the wire process say to each other: one JSON object a line, one answer to each request, in order. */
import type { Impairment } from '../topology/topology.js';
import type { DelayLineStatus } from './addon.js';

/** 0: frames the link's first endpoint sends, 1: those of its second. */
export type Direction = 0 | 1;

export type WireRequest =
  | { readonly op: 'join'; readonly links: readonly { readonly impairment: Impairment }[] }
  | { readonly op: 'set'; readonly link: number; readonly direction: Direction; readonly change: Partial<Impairment> }
  | { readonly op: 'carrier'; readonly links: readonly number[]; readonly up: boolean }
  | { readonly op: 'status' };

export interface DirectionStatus {
  readonly impairment: Impairment;
  /** Who carries the frames: `redirect` at kernel speed, the others while something is asked of them. */
  readonly carrier: 'redirect' | 'netem' | 'delay-line';
  /** Counters of the delay line, null without one. */
  readonly delayLine: DelayLineStatus | null;
}

export interface LinkStatus {
  /** False while the link is failed. */
  readonly up: boolean;
  readonly directions: readonly [DirectionStatus, DirectionStatus];
}

export type WireAnswer = { readonly ok: true; readonly links: readonly LinkStatus[] } | { readonly ok: false; readonly error: string };

/** Names of a link's two ends in the wire namespace; `end` 0 faces the link's first endpoint. */
export function wireEnd(link: number, end: 0 | 1): string {
  return `w${link}${end === 0 ? 'a' : 'b'}`;
}
