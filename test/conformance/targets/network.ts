/** Two network namespaces and a wire between them: the target in one, the tester with its many addresses in the other. */
import { execFileSync, spawnSync } from 'node:child_process';
import { type Profile, profiles } from '../target.js';

/** One subnet holds all: the target and every address of the tester are one hop away from each other. */
export const targetAddress = 'fd00:c0f::1';
export const targetAddress4 = '10.99.0.1';
export const testerAddress4 = '10.99.0.2';

/** How many neighbours of each kind a target is configured with. */
const counts: Partial<Record<Profile, number>> = { external: 96, collector: 64, internal: 40 };
const usualCount = 12;

const hex = (value: number): string => value.toString(16);

/** Addresses of a kind of neighbour lie in one /112, so that a range can stand for them in a configuration. */
export const rangeOf = (profile: Profile): string => `fd00:c0f::${hex(0x10 + profiles.indexOf(profile))}:0/112`;

export const addressesOf = (profile: Profile): string[] =>
  Array.from({ length: counts[profile] ?? usualCount }, (_, index) => `fd00:c0f::${hex(0x10 + profiles.indexOf(profile))}:${hex(index + 1)}`);

export class Network {
  readonly target: string;
  readonly tester: string;

  /** `name` tells the namespaces of several runs apart. */
  constructor(name: string) {
    this.target = `${name}-target`;
    this.tester = `${name}-tester`;
  }

  /** Makes both namespaces. Throws when the kernel refuses, for want of root above all. */
  up(): void {
    const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.down();
    for (const namespace of [this.target, this.tester]) {
      ip('netns', 'add', namespace);
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
    }
    ip('-n', this.target, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth1', 'netns', this.tester);
    const addresses = [
      [this.target, `${targetAddress}/64`],
      [this.target, `${targetAddress4}/16`],
      [this.tester, `${testerAddress4}/16`],
      ...profiles.flatMap((profile) => addressesOf(profile).map((address) => [this.tester, `${address}/64`])),
    ] as const;
    for (const namespace of [this.target, this.tester]) {
      const lines = addresses.filter(([owner]) => owner === namespace).map(([, address]) => `addr add ${address} dev eth1${address.includes(':') ? ' nodad' : ''}`);
      execFileSync('ip', ['-n', namespace, '-batch', '-'], { input: `${lines.join('\n')}\nlink set eth1 up\n`, stdio: ['pipe', 'ignore', 'pipe'] });
    }
  }

  /** Ends what still runs in the namespaces and removes them. */
  down(): void {
    for (const namespace of [this.target, this.tester]) {
      const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
      for (const pid of stdout.split('\n').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
      spawnSync('ip', ['netns', 'del', namespace], { stdio: 'ignore' });
    }
  }
}
