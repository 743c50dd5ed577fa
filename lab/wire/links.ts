/** The links of one lab as the wire process holds them: carrier, and who carries each direction's frames. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { native } from '../../dataplane/native/index.js';
import { isImpaired, noImpairment, type Impairment } from '../topology/topology.js';
import { wireAddon } from './addon.js';
import { wireEnd, type Direction, type LinkStatus } from './protocol.js';

const run = promisify(execFile);

interface WireDirection {
  readonly from: number;
  readonly to: number;
  impairment: Impairment;
}

interface WireLink {
  up: boolean;
  readonly directions: readonly [WireDirection, WireDirection];
}

export class WireLinks {
  private readonly links: WireLink[] = [];

  /** Takes over links whose ends are in this namespace already. */
  join(impairments: readonly Impairment[]): void {
    for (const impairment of impairments) {
      const number = this.links.length;
      const ends = [native.ifNameToIndex(wireEnd(number, 0)), native.ifNameToIndex(wireEnd(number, 1))] as const;
      const directions = ([0, 1] as const).map((d): WireDirection => ({ from: ends[d], to: ends[d === 0 ? 1 : 0], impairment: noImpairment }));
      this.links.push({ up: true, directions: directions as [WireDirection, WireDirection] });
      for (const direction of directions) {
        wireAddon.wireRedirect(direction.from, direction.to);
        if (isImpaired(impairment)) this.apply(direction, impairment);
      }
    }
  }

  private link(number: number): WireLink {
    const link = this.links[number];
    if (!link) throw new RangeError(`no link ${number}`);
    return link;
  }

  private apply(direction: WireDirection, impairment: Impairment): void {
    direction.impairment = impairment;
  }

  set(link: number, direction: Direction, change: Partial<Impairment>): void {
    const target = this.link(link).directions[direction];
    this.apply(target, { ...target.impairment, ...change });
  }

  /** Without carrier both endpoints see the link down; their addresses and settings stay. */
  async setCarrier(number: number, up: boolean): Promise<void> {
    const link = this.link(number);
    for (const end of [0, 1] as const) await run('ip', ['link', 'set', wireEnd(number, end), up ? 'up' : 'down']);
    link.up = up;
  }

  status(): LinkStatus[] {
    return this.links.map(({ up, directions: [a, b] }) => ({ up, directions: [{ impairment: a.impairment }, { impairment: b.impairment }] }));
  }
}
