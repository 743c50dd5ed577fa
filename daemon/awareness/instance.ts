/** One local instance: its configuration, what run-time updates said since, and the Instance that is announced of it. */
import { CHIP_NAMES, COMPUTING_CLASS_NAMES } from '../computing/names.js';
import { catsMetrics, type CatsParameters } from '../computing/model/cats.js';
import type { Computing, ComputingClass, Instance, Load, ServiceDelay, SidInfo } from '../computing/types.js';
import type { InstanceConfig, RouterConfig } from '../config/types.js';
import { Refusal } from '../refusal.js';
import { gradeOf } from '../computing/model/grade.js';

/** Computing power with names for codes, as the API takes it. */
export interface NamedComputing {
  readonly class: string;
  readonly chip: string;
  readonly total: bigint; // operations per second
  readonly residual: bigint;
}

/** What is announced of an instance beside its computing power, load and delay. */
export type InstanceFacts = Pick<Instance, 'storage' | 'interface' | 'location' | 'energy' | 'price' | 'algorithms' | 'address'>;

const NO_FACTS: InstanceFacts = { storage: [], interface: undefined, location: undefined, energy: undefined, price: undefined, algorithms: [], address: undefined };

export type Updates<T> = { readonly [K in keyof T]: T[K] | undefined };

/** A run-time update; what is absent (or an empty list) stays as it is. */
export interface InstanceUpdate {
  /** Replaces the entries of the same class and chip; a total of 0 leaves the total. */
  readonly computing: readonly NamedComputing[];
  readonly load: Updates<Load> | undefined;
  readonly serviceDelay: Updates<ServiceDelay> | undefined;
  /** Overrides the health check until it is set to 'auto'. */
  readonly health: 'up' | 'down' | 'auto' | undefined;
}

/** RFC 8986 section 10.2. */
const END_DX6 = 0x0010;
const END_DX4 = 0x0011;

const code = (names: Readonly<Record<number, string>>, name: string): number | undefined => {
  const found = Object.entries(names).find(([, text]) => text === name);
  return found && Number(found[0]);
};

function computingOf(named: NamedComputing): Computing {
  const classCode = code(COMPUTING_CLASS_NAMES, named.class);
  const chip = code(CHIP_NAMES, named.chip);
  if (classCode === undefined) throw new Refusal('invalid', `computing class ${JSON.stringify(named.class)} is not one of ${Object.values(COMPUTING_CLASS_NAMES).join(', ')}`);
  if (chip === undefined) throw new Refusal('invalid', `chip ${JSON.stringify(named.chip)} is not one of ${Object.values(CHIP_NAMES).join(', ')}`);
  return { class: classCode as ComputingClass, chip, total: named.total, residual: named.residual };
}

export class LocalInstance {
  draining = false;
  /** The grace time of a drain is over: withdrawn. */
  drained = false;
  /** Set by an operator or the node itself; undefined: the health check decides. */
  override: 'up' | 'down' | undefined;
  /** What the health check says; 'unchecked' without one. */
  checked: 'unknown' | 'up' | 'down' | 'unchecked';
  reason: string;
  facts = NO_FACTS;
  private computing: readonly Computing[];
  private load: Load | undefined;
  private serviceDelay: ServiceDelay;

  constructor(
    public config: InstanceConfig,
    private router: Pick<RouterConfig, 'sidStructure'>,
    /** How its CATS metrics are normalised; undefined: it announces none. */
    public cats: CatsParameters | undefined,
  ) {
    this.checked = config.healthCheck ? 'unknown' : 'unchecked';
    this.reason = config.healthCheck ? 'the first check is under way' : '';
    this.computing = config.computing.map(computingOf);
    this.serviceDelay = { ...config.serviceDelay, serviceRate: config.serviceRate };
  }

  get key(): string {
    return `${this.config.service}#${this.config.id}`;
  }

  /** May take traffic: announced. One whose first check is still under way is not. */
  get healthy(): boolean {
    if (this.drained) return false;
    return this.override ? this.override === 'up' : this.checked === 'up' || this.checked === 'unchecked';
  }

  get health(): 'up' | 'down' | 'unchecked' {
    if (this.override) return this.override;
    return this.checked === 'unknown' ? 'down' : this.checked;
  }

  /** Takes over a changed configuration. Values that the configuration itself changed win over run-time updates. */
  reconfigure(config: InstanceConfig, router: Pick<RouterConfig, 'sidStructure'>): void {
    const fresh = new LocalInstance(config, router, undefined);
    const old = new LocalInstance(this.config, this.router, undefined);
    if (!sameComputing(fresh.computing, old.computing)) this.computing = fresh.computing;
    const { meanUs, p99Us, serviceRate } = fresh.serviceDelay;
    if (meanUs !== old.serviceDelay.meanUs || p99Us !== old.serviceDelay.p99Us || serviceRate !== old.serviceDelay.serviceRate) this.serviceDelay = fresh.serviceDelay;
    this.config = config;
    this.router = router;
  }

  /** Throws Refusal, and changes nothing, when a value makes no sense. */
  update(update: InstanceUpdate): void {
    const computing = [...this.computing];
    for (const named of update.computing) {
      const entry = computingOf(named);
      const index = computing.findIndex((other) => other.class === entry.class && other.chip === entry.chip);
      if (index >= 0) computing[index] = { ...entry, total: entry.total === 0n ? computing[index]!.total : entry.total };
      else if (entry.total === 0n) throw new Refusal('invalid', `${this.key} has no ${named.class} ${named.chip} so far: a total is needed`);
      else computing.push(entry);
    }
    this.computing = computing;
    if (update.load) this.load = merge(this.load ?? { utilisation: 0, queueLength: 0, activeFlows: 0 }, update.load);
    if (update.serviceDelay) this.serviceDelay = merge(this.serviceDelay, update.serviceDelay);
    if (update.health) this.override = update.health === 'auto' ? undefined : update.health;
  }

  /** What is announced (proto/WIRE.md section 1). */
  get instance(): Instance {
    const { meanUs, p99Us, serviceRate } = this.serviceDelay;
    const state = {
      computing: this.computing,
      load: this.load,
      serviceDelay: meanUs === 0 && p99Us === 0 && serviceRate === 0 ? undefined : this.serviceDelay,
      ...this.facts,
    };
    return {
      id: this.config.id,
      aggregate: false,
      draining: this.draining,
      sid: this.sid,
      ...state,
      cats: this.cats ? catsMetrics(state, this.cats) : [],
      grade: gradeOf(this.computing),
    };
  }

  private get sid(): SidInfo {
    return { sid: this.config.sid, behaviour: this.config.node.address.includes(':') ? END_DX6 : END_DX4, structure: this.router.sidStructure };
  }
}

function merge<T extends object>(base: T, updates: Updates<T>): T {
  const merged = { ...base };
  for (const field of Object.keys(updates) as (keyof T)[]) {
    const value = updates[field];
    if (value !== undefined) merged[field] = value;
  }
  return merged;
}

const sameComputing = (a: readonly Computing[], b: readonly Computing[]): boolean =>
  a.length === b.length && a.every((entry, i) => entry.class === b[i]!.class && entry.chip === b[i]!.chip && entry.total === b[i]!.total && entry.residual === b[i]!.residual);
