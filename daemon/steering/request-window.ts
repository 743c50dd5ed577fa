/** First packets that wait for others, to be matched to candidates together (strategies/assignment.ts). */
import type { Member } from './member.js';
import type { PreparedChoice, ServiceState } from './service-state.js';
import { assign } from './strategies/assignment.js';

interface Request {
  readonly key: Uint8Array;
  readonly choice: PreparedChoice;
}

export class RequestWindow {
  private readonly waiting = new Map<ServiceState, Map<string, Request>>();
  private shortestMs = Infinity;

  /** How long the first of them may wait, ms. */
  get windowMs(): number {
    return this.shortestMs;
  }

  /** Takes in a first packet of a flow; more of the same flow change nothing. `text`: the key, fit for `Map`. */
  note(state: ServiceState, choice: PreparedChoice, key: Uint8Array, text: string, windowMs: number): void {
    let requests = this.waiting.get(state);
    if (!requests) this.waiting.set(state, (requests = new Map<string, Request>()));
    if (!requests.has(text)) requests.set(text, { key: Uint8Array.from(key), choice });
    this.shortestMs = Math.min(this.shortestMs, windowMs);
  }

  /** Matches all that wait. Those for whom nothing is left that was feasible are not named. */
  decide(chosen: (state: ServiceState, key: Uint8Array, member: Member) => void): void {
    for (const [state, requests] of this.waiting) match([...requests.values()], (key, member) => chosen(state, key, member));
    this.waiting.clear();
    this.shortestMs = Infinity;
  }
}

function match(requests: readonly Request[], chosen: (key: Uint8Array, member: Member) => void): void {
  const groups = new Map<PreparedChoice, Uint8Array[]>();
  for (const { key, choice } of requests) {
    const group = groups.get(choice);
    if (group) group.push(key);
    else groups.set(choice, [key]);
  }
  const members: Member[] = [];
  const perRequest: number[] = [];
  const places = new Map<Member, number>();
  for (const choice of groups.keys()) {
    for (const { member, perRequestUs } of choice.offers) {
      // It may have gone while they waited.
      if (places.has(member) || !member.block) continue;
      places.set(member, members.length);
      members.push(member);
      perRequest.push(perRequestUs);
    }
  }
  const costs = [...groups.keys()].map(({ offers }) => {
    const row = new Array<number>(members.length).fill(Infinity);
    for (const offer of offers) {
      const place = places.get(offer.member);
      if (place !== undefined) row[place] = offer.costUs;
    }
    return row;
  });
  const flow = assign(costs, [...groups.values()].map((keys) => keys.length), perRequest);
  let group = 0;
  for (const [choice, keys] of groups) {
    let next = 0;
    flow[group++]!.forEach((count, place) => {
      for (let i = 0; i < count; i++) chosen(keys[next++]!, members[place]!);
    });
    choice.spend(next);
  }
}
