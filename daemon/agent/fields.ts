/**
 * Names of single values, as Prometheus queries, scraped metrics and files give them:
 *
 *   cpu.utilisation, gpu.utilisation ...         busy share of the chips of a kind, 0..1
 *   computing.CLASS.CHIP.total | residual        operations per second
 *   memory.total | free                          octets
 *   storage.NAME.total | residual                octets
 *   interface.NAME.capacity | available          bit/s
 *   service.ADDRESS.utilisation | queueLength | activeFlows | meanUs | p99Us | serviceRate
 */
import { canonicalIp } from '../../dataplane/packet/ip.js';
import { CHIP_NAMES, COMPUTING_CLASS_NAMES } from '../computing/names.js';
import type { Sample, ServiceSample, StatedComputing } from './sample.js';
import type { NodeInterface, StorageVolume } from '../awareness/registration/types.js';

export interface Field {
  readonly kind: 'utilisation' | 'computing' | 'memory' | 'storage' | 'interface' | 'service';
  /** Chip kind, "class chip", volume, interface or service; empty for memory. */
  readonly of: string;
  readonly value: string;
}

const KINDS: readonly string[] = Object.values(CHIP_NAMES);
const CLASSES: readonly string[] = Object.values(COMPUTING_CLASS_NAMES);
const VALUES: Readonly<Record<string, readonly string[]>> = {
  computing: ['total', 'residual'],
  memory: ['total', 'free'],
  storage: ['total', 'residual'],
  interface: ['capacity', 'available'],
  service: ['utilisation', 'queueLength', 'activeFlows', 'meanUs', 'p99Us', 'serviceRate'],
};

/** Undefined for a text that names no field. */
export function parseField(text: string): Field | undefined {
  const steps = text.split('.');
  const first = steps[0]!;
  const value = steps.at(-1)!;
  const middle = steps.slice(1, -1).join('.');
  if (KINDS.includes(first)) return steps.length === 2 && value === 'utilisation' ? { kind: 'utilisation', of: first, value } : undefined;
  if (!Object.hasOwn(VALUES, first) || !VALUES[first]!.includes(value)) return undefined;
  const kind = first as Exclude<Field['kind'], 'utilisation'>;
  if (kind === 'memory') return middle === '' ? { kind, of: '', value } : undefined;
  if (middle === '') return undefined;
  if (kind === 'computing') {
    const [name = '', chip = '', ...more] = middle.split('.');
    return CLASSES.includes(name) && KINDS.includes(chip) && more.length === 0 ? { kind, of: `${name} ${chip}`, value } : undefined;
  }
  if (kind !== 'service') return { kind, of: middle, value };
  const service = canonicalIp(middle);
  return service === undefined ? undefined : { kind, of: service, value };
}

/** A sample out of single values; a value that is no plausible number (NaN, infinite, negative) is left out and named in `faults`. */
export function sampleOf(values: Iterable<readonly [field: Field, value: number]>, faults: string[]): Partial<Sample> {
  const computing = new Map<string, StatedComputing>();
  const utilisation = new Map<string, number>();
  const storage = new Map<string, Partial<StorageVolume>>();
  const interfaces = new Map<string, Partial<NodeInterface>>();
  const services = new Map<string, ServiceSample>();
  let memory: Sample['memory'] = {};
  for (const [{ kind, of, value: name }, value] of values) {
    if (!Number.isFinite(value) || value < 0) {
      faults.push(`${kind} ${of} ${name}: ${value} is no plausible value`);
      continue;
    }
    const whole = BigInt(Math.round(value));
    if (kind === 'utilisation') utilisation.set(of, Math.min(1, value));
    else if (kind === 'computing') computing.set(of, { ...computing.get(of), [name]: value });
    else if (kind === 'memory') memory = { ...memory, [name]: value };
    else if (kind === 'service') services.set(of, { ...services.get(of), [name]: name === 'utilisation' ? Math.min(1, value) : Math.round(value) });
    else if (kind === 'storage') storage.set(of, { ...storage.get(of), [name]: whole });
    else interfaces.set(of, { ...interfaces.get(of), [name]: whole });
  }
  return { computing, utilisation, memory, services, storage: complete(storage, VOLUME), interfaces: complete(interfaces, INTERFACE) };
}

const VOLUME: Omit<StorageVolume, 'name'> = { ability: 'file', quality: 'unknown', total: 0n, residual: 0n, readRate: 0n, writeRate: 0n };
const INTERFACE: Omit<NodeInterface, 'name'> = { capacity: 0n, available: 0n };

/** What a source does not say of a thing has to be said by an earlier one; alone it stands at nothing. */
function complete<V>(parts: ReadonlyMap<string, Partial<V>>, blank: Omit<V, 'name'>): Map<string, V> {
  return new Map([...parts].map(([name, part]) => [name, { name, ...(Object.keys(part).length < 2 ? {} : blank), ...part } as V]));
}
