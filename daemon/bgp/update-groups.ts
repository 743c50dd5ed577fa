/**
 * All update groups of a speaker. A session begins in a group of its own, since it has been told nothing, and joins the one of its rules when
 * both have caught up with the Loc-RIB: what they have told is then the same. A peer leaves with a copy of what it was told.
 */
import type { Clock } from '../clock.js';
import { AdjRibOut } from './adj-rib-out.js';
import type { NextHopResolver } from './best-path.js';
import type { LocRib, RibEntry } from './loc-rib.js';
import { GroupMember, type GroupPeer, type GroupRules, UpdateGroup } from './update-group.js';
import { type FamilyName, familyOfDestination } from './wire/families.js';
import type { Nlri } from './wire/types.js';

export class UpdateGroups {
  private readonly groups = new Set<UpdateGroup>();

  constructor(
    readonly clock: Clock,
    readonly locRib: LocRib,
    private readonly resolve: NextHopResolver,
    private readonly random: () => number = () => 1,
  ) {}

  /** RFC 4271 section 10: between 0.75 and 1.0 of a timer's value. */
  jitter(ms: number): number {
    return ms * (0.75 + 0.25 * this.random());
  }

  get size(): number {
    return this.groups.size;
  }

  /** A peer whose session has come up: it is to be told everything. */
  join(peer: GroupPeer, rules: GroupRules): GroupMember {
    let group = [...this.groups].find((other) => other.rules.key === rules.key && other.out.isUntouched);
    if (!group) {
      group = this.add(rules, new AdjRibOut({ ...rules, resolve: this.resolve, locRib: this.locRib }));
      group.out.markAll();
    }
    const member = new GroupMember(peer, group);
    group.members.add(member);
    group.schedulePump();
    return member;
  }

  /** The session of a peer is over. */
  leave(member: GroupMember): void {
    const { group } = member;
    group.members.delete(member);
    if (group.members.size > 0) group.schedulePump();
    else this.remove(group);
  }

  /** A prefix was decided anew. */
  mark(entry: RibEntry, bestChanged: boolean): void {
    for (const group of this.groups) {
      if (!bestChanged && !group.rules.marksEvery(familyOfDestination(entry.prefix))) continue;
      group.out.mark(entry);
      group.schedulePump();
    }
  }

  /** Other rules for a peer: it is told what follows from them, as far as it has not been told already. */
  setRules(member: GroupMember, rules: GroupRules): void {
    this.alone(member).setRules(rules);
  }

  /** A peer has asked for everything of a family again. */
  resend(member: GroupMember, family: FamilyName): void {
    const group = this.alone(member);
    group.out.resend(family);
    group.schedulePump();
  }

  /** Gives some members of a group one of their own. */
  split(group: UpdateGroup, members: readonly GroupMember[]): UpdateGroup {
    const own = this.add(group.rules, group.out.clone());
    for (const member of members) {
      group.members.delete(member);
      own.members.add(member);
      member.group = own;
    }
    own.schedulePump();
    return own;
  }

  /** A group has caught up: it becomes one with another that has, too, and tells the same. */
  merge(group: UpdateGroup): void {
    for (const other of this.groups) {
      if (other === group || other.rules.key !== group.rules.key || other.out.pending > 0) continue;
      for (const member of group.members) {
        member.group = other;
        other.members.add(member);
      }
      group.members.clear();
      this.remove(group);
      return;
    }
  }

  byFamily(nlri: readonly Nlri[]): [FamilyName, Nlri[]][] {
    const lists = new Map<FamilyName, Nlri[]>();
    for (const item of nlri) {
      const family = familyOfDestination(item.prefix);
      const list = lists.get(family);
      if (list) list.push(item);
      else lists.set(family, [item]);
    }
    return [...lists];
  }

  private alone(member: GroupMember): UpdateGroup {
    return member.group.members.size === 1 ? member.group : this.split(member.group, [member]);
  }

  private add(rules: GroupRules, out: AdjRibOut): UpdateGroup {
    const group = new UpdateGroup(this, rules, out);
    this.groups.add(group);
    return group;
  }

  private remove(group: UpdateGroup): void {
    this.groups.delete(group);
    group.dispose();
  }
}
