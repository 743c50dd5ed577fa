/** Limits and use of control groups, version 1 and 2 (Documentation/admin-guide/cgroup-v1, cgroup-v2 of Linux): what a container may use is less than what the machine has. */

/** Text of a file below the cgroup mount; undefined when it is not there. */
export type ReadFile = (path: string) => string | undefined;

export interface CgroupState {
  /** Processors' worth of time that may be used; undefined: no limit. */
  readonly processors: number | undefined;
  /** CPU time used so far, ns; undefined: not accounted. */
  readonly usedNs: number | undefined;
  /** Octets; undefined: no limit. */
  readonly memoryMax: number | undefined;
  /** Octets in use that cannot be had back at once (page cache that is not in use is not counted). */
  readonly memoryUsed: number | undefined;
}

/** Version 1 says "no limit" with a number near 2^63, rounded down to pages. */
const UNLIMITED = 2 ** 60;

const number = (text: string | undefined): number | undefined => {
  const match = text === undefined ? null : /^\s*(\d+)\s*$/.exec(text);
  return match ? Number(match[1]) : undefined;
};

const entry = (text: string | undefined, name: string): number | undefined => {
  const match = text === undefined ? null : new RegExp(`^${name} (\\d+)$`, 'm').exec(text);
  return match ? Number(match[1]) : undefined;
};

const least = (a: number | undefined, b: number | undefined): number | undefined => (a === undefined ? b : b === undefined ? a : Math.min(a, b));

/** /proc/self/cgroup: controller (empty for version 2) -> path. */
export function parseCgroupPaths(text: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (match) for (const controller of match[1]!.split(',')) paths.set(controller, match[2]!);
  }
  return paths;
}

/** The group and all groups around it, from the inside out. A path that is not visible (another namespace) leaves the root of the mount. */
function* around(path: string): Generator<string> {
  let current = path.replace(/\/+$/, '');
  while (current !== '') {
    yield current;
    current = current.slice(0, current.lastIndexOf('/'));
  }
  yield '';
}

/** The group of this process; `read` gives a file of the machine by its path. */
export function readCgroup(read: ReadFile): CgroupState {
  const below: ReadFile = (path) => read(`/sys/fs/cgroup${path}`);
  const paths = parseCgroupPaths(read('/proc/self/cgroup') ?? '');
  // The unified hierarchy has cgroup.controllers at its root; hybrid systems mount it elsewhere and account in version 1.
  if (below('/cgroup.controllers') !== undefined) return readCgroupV2(below, paths.get('') ?? '');
  // cpu and cpuacct are mounted together or apart.
  return readCgroupV1(below, paths, (controller) => (controller === 'memory' || below(`/${controller}/cgroup.procs`) !== undefined ? `/${controller}` : '/cpu,cpuacct'));
}

/** "max 100000" or "150000 100000" of cpu.max. */
function cpuMax(text: string | undefined): number | undefined {
  const match = text === undefined ? null : /^(\d+) (\d+)\s*$/.exec(text);
  return match && Number(match[2]) > 0 ? Number(match[1]) / Number(match[2]) : undefined;
}

export function readCgroupV2(read: ReadFile, path: string): CgroupState {
  let processors: number | undefined;
  let memoryMax: number | undefined;
  let stat: string | undefined;
  let memory: { used: number } | undefined;
  for (const group of around(path)) {
    processors = least(processors, cpuMax(read(`${group}/cpu.max`)));
    memoryMax = least(memoryMax, number(read(`${group}/memory.max`)));
    stat ??= read(`${group}/cpu.stat`);
    const current = memory ? undefined : number(read(`${group}/memory.current`));
    if (current !== undefined) memory = { used: Math.max(0, current - (entry(read(`${group}/memory.stat`), 'inactive_file') ?? 0)) };
  }
  const usec = entry(stat, 'usage_usec');
  return { processors, usedNs: usec === undefined ? undefined : usec * 1000, memoryMax, memoryUsed: memory?.used };
}

/** `mount` gives the folder of a controller's hierarchy. */
export function readCgroupV1(read: ReadFile, paths: ReadonlyMap<string, string>, mount: (controller: string) => string): CgroupState {
  let processors: number | undefined;
  for (const group of around(paths.get('cpu') ?? '')) {
    const quota = number(read(`${mount('cpu')}${group}/cpu.cfs_quota_us`)); // -1: no limit
    const period = number(read(`${mount('cpu')}${group}/cpu.cfs_period_us`));
    if (quota !== undefined && period !== undefined && period > 0) processors = least(processors, quota / period);
  }
  let usedNs: number | undefined;
  for (const group of around(paths.get('cpuacct') ?? '')) usedNs ??= number(read(`${mount('cpuacct')}${group}/cpuacct.usage`));
  let memoryMax: number | undefined;
  let memoryUsed: number | undefined;
  for (const group of around(paths.get('memory') ?? '')) {
    const folder = `${mount('memory')}${group}`;
    const limit = number(read(`${folder}/memory.limit_in_bytes`));
    if (limit !== undefined && limit < UNLIMITED) memoryMax = least(memoryMax, limit);
    if (memoryUsed !== undefined) continue;
    const usage = number(read(`${folder}/memory.usage_in_bytes`));
    if (usage !== undefined) memoryUsed = Math.max(0, usage - (entry(read(`${folder}/memory.stat`), 'total_inactive_file') ?? 0));
  }
  return { processors, usedNs, memoryMax, memoryUsed };
}
