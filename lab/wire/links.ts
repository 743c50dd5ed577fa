/** The links of one lab as the wire process holds them: carrier, and who carries each direction's frames. */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { native } from '../../dataplane/native/index.js';
import { isImpaired, noImpairment, type Impairment } from '../topology/topology.js';
import { wireAddon, type DelayLineStatus } from './addon.js';
import { netemAvailable, removeNetem, setNetem } from './netem.js';
import { wireEnd, type Direction, type DirectionStatus, type LinkStatus } from './protocol.js';

const run = promisify(execFile);

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
  up: boolean;
  readonly directions: readonly [WireDirection, WireDirection];
}

export class WireLinks {
  private readonly links: WireLink[] = [];

  /** Takes over links whose ends are in this namespace already. */
  async join(impairments: readonly Impairment[]): Promise<void> {
    for (const impairment of impairments) {
      const number = this.links.length;
      const a = native.ifNameToIndex(wireEnd(number, 0));
      const b = native.ifNameToIndex(wireEnd(number, 1));
      const directions = [new WireDirection(2 * number, a, b, wireEnd(number, 1)), new WireDirection(2 * number + 1, b, a, wireEnd(number, 0))] as const;
      this.links.push({ up: true, directions });
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

  /** Without carrier both endpoints see the link down; their addresses and settings stay. */
  async setCarrier(number: number, up: boolean): Promise<void> {
    const link = this.link(number);
    for (const end of [0, 1] as const) await run('ip', ['link', 'set', wireEnd(number, end), up ? 'up' : 'down']);
    link.up = up;
  }

  status(): LinkStatus[] {
    return this.links.map(({ up, directions: [a, b] }) => ({ up, directions: [a.status, b.status] }));
  }
}
