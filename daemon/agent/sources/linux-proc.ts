/** Parsers of what Linux tells in /proc and /sys (proc(5)). Each takes the text of a file and never throws; what is not there is undefined or left out. Pure. */

/** CPU time since boot in ticks, all processors together. */
export interface CpuTimes {
  readonly busy: number;
  readonly total: number;
  readonly processors: number;
}

/** /proc/stat. Time stolen by a hypervisor counts as busy: it is not free for us. Time waiting for disks counts as free. */
export function parseStat(text: string): CpuTimes | undefined {
  const line = /^cpu\s+(.+)$/m.exec(text)?.[1];
  const values = line?.trim().split(/\s+/).map(Number);
  if (!values || values.length < 4 || values.some((value) => !Number.isFinite(value) || value < 0)) return undefined;
  // user nice system idle iowait irq softirq steal; guest times are part of user and nice.
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = values;
  const busy = user + nice + system + irq + softirq + steal;
  return { busy, total: busy + idle + iowait, processors: text.match(/^cpu\d+\s/gm)?.length ?? 0 };
}

/** Busy share between two readings, 0..1; undefined when no time passed or the counters went back. */
export function busyShare(before: CpuTimes, after: CpuTimes): number | undefined {
  const total = after.total - before.total;
  const busy = after.busy - before.busy;
  return total > 0 && busy >= 0 && busy <= total ? busy / total : undefined;
}

/** /proc/loadavg: runnable tasks on average over one minute. */
export function parseLoadavg(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) /.exec(text);
  return match ? Number(match[1]) : undefined;
}

/** /proc/meminfo, octets. */
export function parseMeminfo(text: string): { readonly total: number; readonly available: number } | undefined {
  const kib = (name: string): number | undefined => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text);
    return match ? Number(match[1]) * 1024 : undefined;
  };
  const total = kib('MemTotal');
  const available = kib('MemAvailable') ?? kib('MemFree');
  return total === undefined || available === undefined ? undefined : { total, available };
}

/** Octets since boot by device. */
export type Traffic = ReadonlyMap<string, { readonly received: number; readonly sent: number }>;

/** /proc/net/dev. */
export function parseNetDev(text: string): Traffic {
  const traffic = new Map<string, { received: number; sent: number }>();
  for (const line of text.split('\n')) {
    const match = /^\s*([^\s:]+):\s*(\d+)(?:\s+\d+){7}\s+(\d+)/.exec(line);
    if (match) traffic.set(match[1]!, { received: Number(match[2]), sent: Number(match[3]) });
  }
  return traffic;
}

const SECTOR = 512;

/** /proc/diskstats: octets read ("received") and written ("sent") by device. */
export function parseDiskstats(text: string): Traffic {
  const traffic = new Map<string, { received: number; sent: number }>();
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const [read, written] = [Number(fields[5]), Number(fields[9])];
    if (fields.length >= 14 && Number.isFinite(read) && Number.isFinite(written)) traffic.set(fields[2]!, { received: read * SECTOR, sent: written * SECTOR });
  }
  return traffic;
}

export interface CpuInfo {
  readonly model: string;
  readonly flags: ReadonlySet<string>;
  readonly processors: number;
  /** Physical cores and packages; those of the processors where the file does not tell. */
  readonly cores: number;
  readonly packages: number;
  readonly clockHz: number; // 0: not told
}

/** /proc/cpuinfo of x86 and ARM. */
export function parseCpuinfo(text: string): CpuInfo {
  const first = (name: string): string | undefined => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(text)?.[1]?.trim();
  const all = (name: string): string[] => [...text.matchAll(new RegExp(`^${name}\\s*:\\s*(.*)$`, 'gm'))].map((match) => match[1]!.trim());
  const processors = all('processor').filter((value) => /^\d+$/.test(value)).length;
  const blocks = text.split(/\n\s*\n/);
  const cores = new Set<string>();
  const packages = new Set<string>();
  for (const block of blocks) {
    const physical = /^physical id\s*:\s*(\d+)$/m.exec(block)?.[1];
    const core = /^core id\s*:\s*(\d+)$/m.exec(block)?.[1];
    if (physical !== undefined) packages.add(physical);
    if (physical !== undefined && core !== undefined) cores.add(`${physical} ${core}`);
  }
  const megahertz = Math.max(0, ...all('cpu MHz').map(Number).filter(Number.isFinite));
  return {
    model: first('model name') ?? first('Model') ?? first('Hardware') ?? 'unknown',
    flags: new Set((first('flags') ?? first('Features') ?? '').split(/\s+/)),
    processors: Math.max(1, processors),
    cores: cores.size > 0 ? cores.size : Math.max(1, processors),
    packages: Math.max(1, packages.size),
    clockHz: megahertz * 1e6,
  };
}
