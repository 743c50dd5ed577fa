/** Reads the state of the machine, or of the container it runs in, out of /proc and /sys. */
import { readFileSync, readdirSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import type { NodeInterface, StorageVolume } from '../../awareness/registration/types.js';
import type { Clock } from '../../clock.js';
import { flopsPerCycleOf } from '../../computing/model/chips.js';
import type { ChipUse, Sample, Source } from '../sample.js';
import { readCgroup, type CgroupState } from './cgroup.js';
import { busyShare, parseCpuinfo, parseDiskstats, parseLoadavg, parseMeminfo, parseNetDev, parseStat, type CpuInfo, type CpuTimes, type Traffic } from './linux-proc.js';

export interface LinuxOptions {
  /** Where /proc, /sys and the file systems hang; `/` on a real machine. */
  readonly root: string;
  /** Names to report; undefined: all but the loopback. */
  readonly interfaces: readonly string[] | undefined;
  /** Capacities that the kernel does not know, bit/s by name. */
  readonly capacities: Readonly<Record<string, bigint>>;
  readonly filesystems: readonly { readonly path: string; readonly ability: string; readonly quality: string }[];
}

interface Reading {
  readonly at: number;
  readonly times: CpuTimes;
  readonly usedNs: number | undefined;
  readonly traffic: Traffic;
  readonly disks: Traffic;
}

/** Free and usable share of the processors, 0..1, for a machine with `processors` of them. */
export function cpuShares(processors: number, busy: number, group: { readonly processors: number | undefined; readonly used: number | undefined }): { readonly usable: number; readonly free: number } {
  const usable = Math.min(processors, group.processors ?? processors);
  // The group may use what it is allowed and has not used, as far as the machine has it free.
  const allowed = group.processors === undefined || group.used === undefined ? usable : usable - group.used;
  const free = Math.max(0, Math.min(allowed, processors * (1 - busy)));
  return { usable: usable / processors, free: free / processors };
}

export class LinuxSource implements Source {
  readonly name = 'linux';
  private readonly cpu: CpuInfo;
  private readonly clockHz: number;
  private readonly physical: ReadonlySet<string>;
  private last: Reading | undefined;

  constructor(
    private readonly options: LinuxOptions,
    private readonly clock: Clock,
  ) {
    const text = (path: string): string => this.text(path) ?? '';
    this.cpu = parseCpuinfo(text('/proc/cpuinfo'));
    const kilohertz = Number(this.text('/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq'));
    this.clockHz = kilohertz > 0 ? kilohertz * 1000 : this.cpu.clockHz;
    this.physical = new Set(this.folder('/sys/block').filter((name) => !/^(loop|ram|zram|dm-|md|sr|fd)/.test(name)));
  }

  private path(path: string): string {
    return this.options.root === '/' ? path : `${this.options.root}${path}`;
  }

  /** A file of /proc or /sys, which answer at once. */
  private text(path: string): string | undefined {
    try {
      return readFileSync(this.path(path), 'utf8');
    } catch {
      return undefined;
    }
  }

  private folder(path: string): string[] {
    try {
      return readdirSync(this.path(path));
    } catch {
      return [];
    }
  }

  async read(): Promise<Partial<Sample>> {
    const times = parseStat(await readFile(this.path('/proc/stat'), 'utf8'));
    if (!times) throw new Error('/proc/stat is not as expected');
    const group = readCgroup((path) => this.text(path));
    const reading: Reading = {
      at: this.clock.now(),
      times,
      usedNs: group.usedNs,
      traffic: parseNetDev(this.text('/proc/net/dev') ?? ''),
      disks: parseDiskstats(this.text('/proc/diskstats') ?? ''),
    };
    const before = this.last;
    this.last = reading;
    const seconds = before ? (reading.at - before.at) / 1000 : 0;
    const processors = Math.max(1, times.processors);
    // The first reading has nothing to compare with: tasks that want to run stand for the busy processors.
    const busy = (before && busyShare(before.times, times)) ?? Math.min(1, (parseLoadavg(this.text('/proc/loadavg') ?? '') ?? 0) / processors);
    const used = before?.usedNs !== undefined && group.usedNs !== undefined && seconds > 0 ? Math.max(0, (group.usedNs - before.usedNs) / 1e9 / seconds) : undefined;
    const shares = cpuShares(processors, busy, { processors: group.processors, used });
    const chip: ChipUse = {
      kind: 'cpu',
      model: this.cpu.model.replace(/[^\w.:/@ -]/g, ' ').slice(0, 128),
      count: this.cpu.packages,
      cores: Math.max(1, Math.round(this.cpu.cores / this.cpu.packages)),
      clockHz: this.clockHz,
      operationsPerCycle: { parallel: flopsPerCycleOf(this.cpu.flags) },
      ...shares,
    };
    return {
      chips: new Map([[`cpu ${chip.model}`, chip]]),
      memory: this.memory(group),
      interfaces: this.interfaces(reading, before, seconds),
      storage: await this.storage(reading, before, seconds),
    };
  }

  private memory(group: CgroupState): Sample['memory'] {
    const machine = parseMeminfo(this.text('/proc/meminfo') ?? '');
    if (!machine) return {};
    const total = Math.min(machine.total, group.memoryMax ?? machine.total);
    const allowed = group.memoryMax === undefined || group.memoryUsed === undefined ? total : Math.max(0, group.memoryMax - group.memoryUsed);
    return { total, free: Math.min(machine.available, allowed) };
  }

  private interfaces(now: Reading, before: Reading | undefined, seconds: number): Map<string, NodeInterface> {
    const found = new Map<string, NodeInterface>();
    for (const [name, traffic] of now.traffic) {
      if (this.options.interfaces ? !this.options.interfaces.includes(name) : name === 'lo') continue;
      const megabits = Number(this.text(`/sys/class/net/${name}/speed`)); // -1 where the driver does not know
      const capacity = this.options.capacities[name] ?? (megabits > 0 ? BigInt(megabits) * 1_000_000n : 0n);
      if (capacity === 0n) continue;
      const earlier = before?.traffic.get(name);
      const octets = earlier && seconds > 0 ? Math.max(0, traffic.received - earlier.received, traffic.sent - earlier.sent) / seconds : 0;
      const used = BigInt(Math.round(octets * 8));
      found.set(name, { name, capacity, available: used < capacity ? capacity - used : 0n });
    }
    return found;
  }

  private async storage(now: Reading, before: Reading | undefined, seconds: number): Promise<Map<string, StorageVolume>> {
    const volumes = new Map<string, StorageVolume>();
    for (const { path, ability, quality } of this.options.filesystems) {
      const { bsize, blocks, bavail } = await statfs(this.path(path), { bigint: true });
      volumes.set(path, { name: path, ability, quality, total: blocks * bsize, residual: bavail * bsize, readRate: 0n, writeRate: 0n });
    }
    const [first] = volumes.values();
    if (!first || !before || seconds <= 0) return volumes;
    // Which disk a file system is on is not always to be known: the traffic of all disks stands at the first.
    let [read, written] = [0, 0];
    for (const name of this.physical) {
      const [current, earlier] = [now.disks.get(name), before.disks.get(name)];
      if (!current || !earlier) continue;
      read += Math.max(0, current.received - earlier.received);
      written += Math.max(0, current.sent - earlier.sent);
    }
    volumes.set(first.name, { ...first, readRate: BigInt(Math.round(read / seconds)), writeRate: BigInt(Math.round(written / seconds)) });
    return volumes;
  }
}
