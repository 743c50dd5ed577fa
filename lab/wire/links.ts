/** The links of one lab as the wire process holds them: carrier, and who carries each direction's frames. */
import { setTimeout as sleep } from 'node:timers/promises';
import { native } from '../../dataplane/native/index.js';
import { isImpaired, noImpairment, type Impairment } from '../topology/topology.js';
import { endState, setEnd, watchEnds } from './ends.js';
import { wireAddon, type DelayLineStatus } from './addon.js';
import { netemAvailable, removeNetem, setNetem } from './netem.js';
import { wireEnd, type Direction, type DirectionStatus, type LinkStatus } from './protocol.js';

/** Frames that may wait before a rate limit: netem's default. */
const queueFrames = 1000;

/** Frames one node sends over a link: redirected at kernel speed, or impaired by netem or a delay line while something is asked of them. */
class WireDirection {
  private impairment: Impairment = noImpairment;
  private carrier: DirectionStatus['carrier'] = 'redirect';

  constructor(
    private readonly line: number,
    private readonly from: number,
    private readonly to: number,
    /** Interface of `to`. */
    private readonly device: string,
  ) {
    wireAddon.wireRedirect(from, to, false);
  }

  private lineStatus(): DelayLineStatus | null {
    return wireAddon.delayLineStatus(this.line);
  }

  private setLine(impairment: Impairment): void {
    const { delayMs, jitterMs, lossPercent, rateBps } = impairment;
    wireAddon.delayLineSet(this.line, this.from, this.to, delayMs * 1e6, jitterMs * 1e6, lossPercent / 100, rateBps, queueFrames);
  }

  /** A frame that arrives while its carrier changes may be lost; none is delivered twice or early. */
  async set(change: Partial<Impairment>): Promise<void> {
    const before = this.impairment;
    this.impairment = { ...before, ...change };
    if (!isImpaired(this.impairment)) {
      await this.release(before);
    } else if (await netemAvailable()) {
      await setNetem(this.device, this.impairment, queueFrames);
      wireAddon.wireRedirect(this.from, this.to, true);
      this.carrier = 'netem';
    } else {
      if (this.carrier === 'redirect') wireAddon.wireRelease(this.from);
      this.setLine(this.impairment);
      this.carrier = 'delay-line';
    }
  }

  /** Back to kernel speed; what is under way arrives before what follows. */
  private async release(before: Impairment): Promise<void> {
    if (this.carrier === 'netem') {
      await setNetem(this.device, noImpairment, queueFrames);
      await sleep(before.delayMs + before.jitterMs);
      wireAddon.wireRedirect(this.from, this.to, false);
      await removeNetem(this.device);
    } else if (this.carrier === 'delay-line') {
      this.setLine(noImpairment);
      while ((this.lineStatus()?.held ?? 0) > 0) await sleep(1);
      wireAddon.delayLineClear(this.line);
      wireAddon.wireRedirect(this.from, this.to, false);
    }
    this.carrier = 'redirect';
  }

  get status(): DirectionStatus {
    return { impairment: this.impairment, carrier: this.carrier, delayLine: this.lineStatus() };
  }
}

interface WireLink {
  /** Whether the cable is plugged in: false before `up` is done with the nodes, and while the link is failed. */
  plugged: boolean;
  readonly directions: readonly [WireDirection, WireDirection];
}

export class WireLinks {
  private readonly links: WireLink[] = [];

  constructor() {
    watchEnds(() => this.followCarriers());
  }

  /** Takes over links whose ends are in this namespace already. */
  async join(impairments: readonly Impairment[]): Promise<void> {
    for (const impairment of impairments) {
      const number = this.links.length;
      const a = native.ifNameToIndex(wireEnd(number, 0));
      const b = native.ifNameToIndex(wireEnd(number, 1));
      const directions = [new WireDirection(2 * number, a, b, wireEnd(number, 1)), new WireDirection(2 * number + 1, b, a, wireEnd(number, 0))] as const;
      this.links.push({ plugged: false, directions });
      for (const direction of directions) await direction.set(impairment);
    }
  }

  private link(number: number): WireLink {
    const link = this.links[number];
    if (!link) throw new RangeError(`no link ${number}`);
    return link;
  }

  async set(link: number, direction: Direction, change: Partial<Impairment>): Promise<void> {
    await this.link(link).directions[direction].set(change);
  }

  /** Plugs cables in or pulls them. Without carrier both endpoints see the link down; their addresses and settings stay. */
  setCarrier(numbers: readonly number[], plugged: boolean): void {
    for (const number of numbers) {
      this.link(number).plugged = plugged;
      for (const name of [wireEnd(number, 0), wireEnd(number, 1)]) if (endState(name) !== 'gone') setEnd(name, plugged);
    }
  }

  /**
   * An endpoint that a node sets down must take the carrier from the other node, as on one veth pair: the wire's end towards the other node goes
   * down with it, and up with it again. An end that is down cannot tell its node's state; it gets its turn when the other node is up.
   */
  private followCarriers(): void {
    for (const [number, { plugged }] of this.links.entries()) {
      if (!plugged) continue;
      const names = [wireEnd(number, 0), wireEnd(number, 1)] as const;
      const states = [endState(names[0]), endState(names[1])] as const;
      const lost = states.map((state) => state === 'no-carrier' || state === 'gone');
      const raised = states.map((state) => state === 'no-carrier' || state === 'carrier');
      if (lost[0] === true && raised[1] === true) setEnd(names[1], false);
      else if (lost[1] === true && raised[0] === true) setEnd(names[0], false);
      else if (states[0] === 'carrier' && states[1] === 'down') setEnd(names[1], true);
      else if (states[1] === 'carrier' && states[0] === 'down') setEnd(names[0], true);
    }
  }

  status(): LinkStatus[] {
    return this.links.map(({ plugged, directions: [a, b] }) => ({ up: plugged, directions: [a.status, b.status] }));
  }
}
