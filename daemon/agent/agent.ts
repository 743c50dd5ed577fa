/** `cpnd agent`: measures a computing node, tells its exit router, and runs services as the router asks. */
import { MOST_RUNS } from '../awareness/registration/merge.js';
import type { Clock, Timer } from '../clock.js';
import type { Logger } from '../log.js';
import type { MeasuredComputing, NodeParameters } from '../awareness/registration/types.js';
import type { BenchmarkResult } from './benchmark/result.js';
import { parseField } from './fields.js';
import type { AgentConfig } from './config.js';
import { grpcDial } from './dial.js';
import { describe, nodeState, otherChips, signOfLife, told, updateOf, type NodeState } from './report.js';
import { combine, type Sample, type Source } from './sample.js';
import { RunReports } from './runs.js';
import { ServiceRunner } from './service-runner.js';
import { Session, type Dial } from './session.js';
import { FileSource } from './sources/file.js';
import { LinuxSource } from './sources/linux.js';
import { DcgmSource, NvidiaSmiSource } from './sources/nvidia.js';
import { PrometheusSource } from './sources/prometheus.js';
import { ScrapeSource } from './sources/scrape.js';

export interface AgentParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** By default those of the configuration, and the router of the configuration. */
  readonly sources?: readonly Source[];
  readonly dial?: Dial;
  /** Micro-benchmarks; by default those of daemon/agent/benchmark. */
  readonly benchmark?: () => Promise<readonly BenchmarkResult[]>;
}

const DEFAULT_INTERVAL_MS = 1000;
/** Changes of files and services within this time are told together, ms. */
const GATHER_MS = 20;
/** What a source said is forgotten when it has failed for so long, ms, or for so many intervals. */
const FORGET_MS = 10_000;
const FORGET_INTERVALS = 5;
/** A source that fails is named in the log once, and again when the reason changes. */
const QUIET = '';

export function sourcesOf({ sources }: AgentConfig, clock: Clock): Source[] {
  const found: Source[] = [];
  const { linux, nvidia } = sources;
  if (linux.enabled) found.push(new LinuxSource({ root: '/', interfaces: linux.interfaces, capacities: linux.capacities, filesystems: linux.filesystems }, clock));
  if (nvidia.enabled) found.push(new NvidiaSmiSource(nvidia.command, nvidia.cores, nvidia.timeout));
  for (const { url, cores, timeout } of sources.dcgm) found.push(new DcgmSource(url, cores, timeout));
  for (const { url, queries, timeout } of sources.prometheus) {
    found.push(new PrometheusSource(url, Object.entries(queries).map(([field, query]) => ({ field: parseField(field)!, query })), timeout));
  }
  for (const { url, metrics, timeout } of sources.scrape) found.push(new ScrapeSource(url, metrics, timeout));
  for (const path of sources.files) found.push(new FileSource(path));
  return found;
}

export class Agent {
  private readonly sources: readonly Source[];
  private readonly session: Session;
  private readonly runners: ReadonlyMap<string, ServiceRunner>;
  /** What each source said last: one that fails for a while is not forgotten at once. */
  private readonly samples = new Map<Source, Partial<Sample>>();
  private readonly readAt = new Map<Source, number>();
  private readonly faults = new Map<Source, string>();
  private readonly runs: RunReports;
  private readonly runFaults = new Map<string, string>();
  private state: NodeState;
  /** What the router knows. */
  private known: NodeState | undefined;
  private parameters: NodeParameters | undefined;
  private sentAt = 0;
  private measured: readonly MeasuredComputing[] = [];
  private timer: Timer | undefined;
  private benchmarkTimer: Timer | undefined;
  private soon: Timer | undefined;
  private reading = false;
  private stopped = false;

  constructor(
    private readonly config: AgentConfig,
    private readonly parts: AgentParts,
  ) {
    const { clock, log } = parts;
    this.sources = parts.sources ?? sourcesOf(config, clock);
    this.runners = new Map(config.services.map((entry) => [entry.service, new ServiceRunner(entry, clock, () => this.touch())]));
    this.state = nodeState(config, combine([]), this.runners);
    this.runs = new RunReports(config.sources.runs, (path, reason) => {
      if (this.runFaults.get(path) !== reason) log.warn('observed runs cannot be used', { path, reason });
      this.runFaults.set(path, reason);
    });
    this.session = new Session(
      parts.dial ?? grpcDial(config.router),
      {
        register: () => {
          this.known = this.state;
          return { register: describe(config, this.state, clock.unixMs()) };
        },
        attached: (parameters) => this.attached(parameters),
        command: ({ service, active, reason }) => {
          log.info(`the router asks to ${active ? 'activate' : 'deactivate'} ${service}`, { reason });
          const runner = this.runners.get(service);
          void (active ? runner?.activate() : runner?.deactivate());
        },
        limited: (reason) => log.warn('the router does not take what this node says as it is', { reason }),
        lost: ({ reason, refused }, retryMs) => {
          log[refused ? 'error' : 'warn'](refused ? 'the router refuses this node' : 'no stream to the router', { reason, retryMs: Math.round(retryMs) });
          this.known = undefined;
        },
      },
      clock,
    );
  }

  /** Measures once, looks at the services, then registers. */
  async start(): Promise<void> {
    // Before the services start, which it would slow down.
    if (this.config.benchmark.at === 'start') await this.benchmark();
    this.scheduleBenchmark();
    await Promise.all([...this.runners.values()].map((runner) => runner.start()));
    await this.read();
    for (const source of this.sources) source.onChange?.(() => this.touch());
    this.session.start();
    this.schedule();
  }

  /** Logs out, and ends the services that the agent runs itself. */
  async stop(reason: string): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    this.benchmarkTimer?.cancel();
    this.soon?.cancel();
    this.session.logOut(reason);
    for (const source of this.sources) source.stop?.();
    await Promise.all([...this.runners.values()].map((runner) => runner.stop()));
  }

  private attached(parameters: NodeParameters): void {
    const { log } = this.parts;
    this.parameters = parameters;
    this.sentAt = this.parts.clock.now();
    log.info(parameters.resumed ? 'back at the router' : 'registered', { router: parameters.router, leaseMs: parameters.leaseMs });
    for (const { service, instance, sid, error } of parameters.services) {
      if (error === '') log.info('service granted', { service, instance, sid });
      else log.error('service refused', { service, reason: error });
    }
    for (const runner of this.runners.values()) runner.activationTimeoutMs = parameters.activationTimeoutMs;
    this.touch();
  }

  private get intervalMs(): number {
    return this.config.interval ?? this.parameters?.updateIntervalMs ?? DEFAULT_INTERVAL_MS;
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = this.parts.clock.setTimeout(() => void this.read().finally(() => this.schedule()), this.intervalMs);
  }

  private scheduleBenchmark(): void {
    const { every } = this.config.benchmark;
    if (every === undefined || this.stopped) return;
    this.benchmarkTimer = this.parts.clock.setTimeout(() => void this.benchmark().finally(() => this.scheduleBenchmark()), every);
  }

  /** What cannot be measured stays as it was measured last. */
  private async benchmark(): Promise<void> {
    const { clock, log } = this.parts;
    try {
      const results = await (this.parts.benchmark ?? (await import('./benchmark/benchmark.js')).measureAll)();
      const unixMs = clock.unixMs();
      this.measured = results.map(({ class: name, operations, spread }) => ({ class: name, chip: 'cpu', operations: BigInt(Math.round(operations)), spread, unixMs }));
      for (const { class: name, operations, obtained, spread, share } of results) log.info(`measured ${name} computing`, { operations: Math.round(operations), obtained: Math.round(obtained), spread, share });
      this.touch();
    } catch (error) {
      log.warn('the benchmark failed', { reason: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Something changed: tell soon. */
  private touch(): void {
    if (this.stopped) return;
    this.soon ??= this.parts.clock.setTimeout(() => {
      this.soon = undefined;
      void this.read();
    }, GATHER_MS);
  }

  /** Reads all sources, each on its own, and tells what changed. */
  private async read(): Promise<void> {
    if (this.reading) return;
    this.reading = true;
    try {
      await Promise.all(this.sources.map((source) => this.readOne(source)));
    } finally {
      this.reading = false;
    }
    this.state = nodeState(this.config, combine(this.sources.map((source) => this.samples.get(source) ?? {})), this.runners, this.measured);
    await this.runs.read(this.state, this.parts.clock.unixMs());
    this.tell();
  }

  private async readOne(source: Source): Promise<void> {
    try {
      this.samples.set(source, await source.read());
      this.readAt.set(source, this.parts.clock.now());
      if ((this.faults.get(source) ?? QUIET) !== QUIET) this.parts.log.info('source is back', { source: source.name });
      this.faults.set(source, QUIET);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.faults.get(source) !== reason) this.parts.log.warn('source cannot be read', { source: source.name, reason });
      this.faults.set(source, reason);
      const silentMs = this.parts.clock.now() - (this.readAt.get(source) ?? 0);
      if (silentMs < Math.max(FORGET_MS, FORGET_INTERVALS * this.intervalMs) || !this.samples.delete(source)) return;
      this.parts.log.warn('what the source said is forgotten', { source: source.name, silentMs: Math.round(silentMs) });
    }
  }

  private tell(): void {
    const { clock } = this.parts;
    if (!this.parameters || !this.known || !this.session.attached) return;
    if (otherChips(this.known, this.state)) {
      this.parts.log.info('the chips of the node are others now: it registers anew');
      this.session.renew();
      return;
    }
    const { threshold, report } = this.parameters;
    const update = updateOf(this.known, this.state, threshold, clock.unixMs(), new Set(report));
    // Three signs of life a lease: one may be lost, one late.
    const silent = clock.now() - this.sentAt >= this.parameters.leaseMs / 3 - this.intervalMs / 2;
    const runs = this.runs.next(MOST_RUNS);
    if (!update && !silent && runs.length === 0) return;
    if (!this.session.send({ update: { ...(update ?? signOfLife(clock.unixMs())), runs } })) return;
    this.runs.told(runs.length);
    this.sentAt = clock.now();
    if (update) this.known = told(this.known, update, this.state);
  }
}
