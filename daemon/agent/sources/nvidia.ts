/** NVIDIA GPUs: what nvidia-smi and the DCGM exporter say, as chips with their free share. */
import { execFile } from 'node:child_process';
import { cudaCoresOf } from '../../computing/model/chips.js';
import type { ChipUse, Sample, Source } from '../sample.js';
import { parseExposition, type Metric } from './exposition.js';
import { get } from './http.js';

export interface Gpu {
  readonly model: string;
  /** Busy share, 0..1; undefined: not supported by the driver or the card. */
  readonly busy: number | undefined;
  readonly clockHz: number;
  readonly memoryTotal: number; // octets
  readonly memoryUsed: number;
}

/** The fields asked for, in order (nvidia-smi --help-query-gpu). */
export const NVIDIA_SMI_FIELDS = ['name', 'utilization.gpu', 'clocks.max.sm', 'memory.total', 'memory.used'] as const;
export const NVIDIA_SMI_ARGUMENTS = [`--query-gpu=${NVIDIA_SMI_FIELDS.join(',')}`, '--format=csv,noheader,nounits'];

const MEBIBYTE = 1024 * 1024;

/** "[N/A]", "[Not Supported]" and the like are no numbers. */
const number = (text: string | undefined): number | undefined => {
  const value = text === undefined || text.trim() === '' ? NaN : Number(text);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
};

/** Output of nvidia-smi with NVIDIA_SMI_ARGUMENTS; lines that are no GPU are left out. */
export function parseNvidiaSmi(text: string): Gpu[] {
  const gpus: Gpu[] = [];
  for (const line of text.split('\n')) {
    const columns = line.split(',').map((column) => column.trim());
    if (columns.length !== NVIDIA_SMI_FIELDS.length || columns[0] === '') continue;
    const [model = '', busy, clock, total, used] = columns;
    const percent = number(busy);
    gpus.push({
      model,
      busy: percent === undefined ? undefined : Math.min(1, percent / 100),
      clockHz: (number(clock) ?? 0) * 1e6,
      memoryTotal: (number(total) ?? 0) * MEBIBYTE,
      memoryUsed: (number(used) ?? 0) * MEBIBYTE,
    });
  }
  return gpus;
}

/** GPUs out of the metrics of dcgm-exporter, one a `gpu` label; the clock is the present one, as the exporter has no other. */
export function gpusOfDcgm(metrics: readonly Metric[]): Gpu[] {
  const byGpu = new Map<string, Map<string, Metric>>();
  for (const metric of metrics) {
    const gpu = metric.labels['gpu'];
    if (gpu === undefined || !metric.name.startsWith('DCGM_FI_DEV_')) continue;
    byGpu.set(gpu, (byGpu.get(gpu) ?? new Map<string, Metric>()).set(metric.name, metric));
  }
  return [...byGpu.values()].map((entries) => {
    const value = (name: string): number | undefined => {
      const found = entries.get(`DCGM_FI_DEV_${name}`)?.value;
      return found !== undefined && Number.isFinite(found) && found >= 0 ? found : undefined;
    };
    const [busy, used, free] = [value('GPU_UTIL'), value('FB_USED') ?? 0, value('FB_FREE') ?? 0];
    return {
      model: [...entries.values()].map(({ labels }) => labels['modelName']).find((name) => name !== undefined) ?? 'unknown',
      busy: busy === undefined ? undefined : Math.min(1, busy / 100),
      clockHz: (value('SM_CLOCK') ?? 0) * 1e6,
      memoryTotal: (used + free) * MEBIBYTE,
      memoryUsed: used * MEBIBYTE,
    };
  });
}

/** A card that does not tell how busy it is (such as one in MIG instances) is taken to be as busy as its memory is full: what holds memory computes. */
const busyOf = ({ busy, memoryTotal, memoryUsed }: Gpu): number => busy ?? (memoryTotal > 0 ? Math.min(1, memoryUsed / memoryTotal) : 0);

/** GPUs of one model as one group; `cores` where the table does not know the model. */
export function chipsOf(gpus: readonly Gpu[], cores: Readonly<Record<string, number>>): Map<string, ChipUse> {
  const groups = new Map<string, Gpu[]>();
  for (const gpu of gpus) groups.set(gpu.model, [...(groups.get(gpu.model) ?? []), gpu]);
  return new Map(
    [...groups].map(([model, group]) => {
      const busy = group.reduce((sum, gpu) => sum + busyOf(gpu), 0) / group.length;
      return [
        `gpu ${model}`,
        {
          kind: 'gpu',
          model: model.replace(/[^\w.:/@ -]/g, ' ').slice(0, 128),
          count: group.length,
          cores: cores[model] ?? cudaCoresOf(model),
          clockHz: Math.max(...group.map(({ clockHz }) => clockHz)),
          usable: 1,
          free: 1 - busy,
        },
      ];
    }),
  );
}

export class NvidiaSmiSource implements Source {
  readonly name = 'nvidia-smi';
  private absent = false;

  constructor(
    private readonly command: string,
    private readonly cores: Readonly<Record<string, number>>,
    private readonly timeoutMs: number,
  ) {}

  async read(): Promise<Partial<Sample>> {
    if (this.absent) return {};
    const output = await new Promise<string | undefined>((resolve, reject) => {
      execFile(this.command, NVIDIA_SMI_ARGUMENTS, { timeout: this.timeoutMs, maxBuffer: 1024 * 1024 }, (error, stdout) => {
        if (!error) resolve(stdout);
        else if ((error as NodeJS.ErrnoException).code === 'ENOENT') resolve(undefined);
        else reject(new Error(`${this.command}: ${error.message.split('\n')[0]!}`));
      });
    });
    // A machine without the program has no such GPU; one that gets it gets a new agent too.
    this.absent = output === undefined;
    return output === undefined ? {} : { chips: chipsOf(parseNvidiaSmi(output), this.cores) };
  }
}

export class DcgmSource implements Source {
  readonly name: string;

  constructor(
    private readonly url: string,
    private readonly cores: Readonly<Record<string, number>>,
    private readonly timeoutMs: number,
  ) {
    this.name = `dcgm ${url}`;
  }

  async read(): Promise<Partial<Sample>> {
    return { chips: chipsOf(gpusOfDcgm(parseExposition(await get(this.url, this.timeoutMs)).metrics), this.cores) };
  }
}
