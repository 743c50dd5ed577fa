/** BMP sessions and MRT dumps of one speaker, as the configuration says. */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Timer } from '../../clock.js';
import type { BmpStationConfig, BmpTableName, MrtConfig, TelemetryConfig } from '../../config/types.js';
import type { BmpTable } from './bmp.js';
import { BmpSession } from './bmp-session.js';
import { makeDirectory } from './directory.js';
import { dumpTable, type TableDump } from './mrt-table.js';
import { mrtFileName, MrtUpdates } from './mrt-updates.js';
import type { TelemetrySource } from './source.js';

/** RFC 7854 section 3.2. */
const MAX_RETRY_MS = 720_000;

const TABLES: Readonly<Record<BmpTableName, BmpTable>> = {
  'adj-rib-in-pre': 'adjRibInPre',
  'adj-rib-in-post': 'adjRibInPost',
  'adj-rib-out-post': 'adjRibOutPost',
  'loc-rib': 'locRib',
};

export interface TelemetryIdentity {
  readonly sysName: string;
  readonly sysDescr: string;
}

/** A BMP session as shown and counted. */
export interface BmpView {
  readonly station: string;
  readonly connected: boolean;
  readonly messages: number;
  readonly octets: number;
  readonly connections: number;
  readonly givenUp: number;
}

export class BgpTelemetry {
  private readonly stations = new Map<string, { readonly config: BmpStationConfig; readonly session: BmpSession }>();
  private mrt: MrtConfig | undefined;
  private updates: MrtUpdates | undefined;
  private untap: (() => void) | undefined;
  private tableTimer: Timer | undefined;

  constructor(
    private readonly source: TelemetrySource,
    private readonly identity: TelemetryIdentity,
    private readonly report: (severity: 'info' | 'warning', text: string) => void,
  ) {}

  /** Takes a configuration over; what did not change is not touched. */
  configure({ bmp, mrt }: Pick<TelemetryConfig, 'bmp' | 'mrt'>): void {
    const wanted = new Map(bmp.map((config) => [`[${config.address}]:${config.port}`, config]));
    for (const [key, { config, session }] of this.stations) {
      if (isDeepStrictEqual(config, wanted.get(key))) continue;
      session.stop();
      this.stations.delete(key);
    }
    for (const [key, config] of wanted) if (!this.stations.has(key)) this.stations.set(key, { config, session: this.connect(config) });
    if (isDeepStrictEqual(mrt, this.mrt)) return;
    void this.stopMrt();
    this.startMrt(mrt);
  }

  /** Ends BMP sessions with a word and completes MRT files. */
  async stop(): Promise<void> {
    for (const { session } of this.stations.values()) session.stop();
    this.stations.clear();
    await this.stopMrt();
  }

  /** Writes the whole table to a file now. Rejects with the error of the file system. */
  dump(path: string): Promise<TableDump> {
    return dumpTable(this.source, path);
  }

  /** BMP sessions, and MRT records written and dropped. */
  view(): { readonly bmp: readonly BmpView[]; readonly mrt: MrtUpdates['counters'] | undefined } {
    const bmp = [...this.stations].map(([station, { session }]) => ({ station, connected: session.isConnected, ...session.counters }));
    return { bmp, mrt: this.updates?.counters };
  }

  private connect({ address, port, tables, mirrorFaulty, statisticsMs, retryMs }: BmpStationConfig): BmpSession {
    const options = { address, port, tables: tables.map((name) => TABLES[name]), mirrorFaulty, statisticsMs, retryMs, maxRetryMs: Math.max(retryMs, MAX_RETRY_MS), ...this.identity };
    const session = new BmpSession(options, this.source, this.report);
    session.start();
    return session;
  }

  private startMrt(mrt: MrtConfig | undefined): void {
    this.mrt = mrt;
    if (!mrt) return;
    const { directory, updates, table } = mrt;
    if (updates) {
      this.updates = new MrtUpdates({ directory, ...updates }, this.source.clock, (text) => this.report('warning', text));
      this.untap = this.source.tap(this.updates);
    }
    if (table) this.dumpLater(directory, table.intervalMs);
  }

  private async stopMrt(): Promise<void> {
    const { updates } = this;
    this.untap?.();
    this.untap = undefined;
    this.updates = undefined;
    this.tableTimer?.cancel();
    await updates?.close();
  }

  private async dumpInto(directory: string, path: string): Promise<TableDump> {
    makeDirectory(directory);
    return this.dump(path);
  }

  /** At the round times of the interval, as collectors do. */
  private dumpLater(directory: string, intervalMs: number): void {
    const { clock } = this.source;
    const wait = intervalMs - (clock.unixMs() % intervalMs);
    // A Node timer holds no more than 2^31 ms; the longest interval is seven days.
    this.tableTimer = clock.setTimeout(() => {
      const path = join(directory, mrtFileName('rib', clock.unixMs()));
      this.dumpInto(directory, path)
        .then(({ prefixes, paths }) => this.report('info', `MRT: ${prefixes} prefixes, ${paths} paths in ${path}`))
        .catch((error: unknown) => this.report('warning', `MRT: ${path}: ${error instanceof Error ? error.message : String(error)}`));
      this.dumpLater(directory, intervalMs);
    }, wait);
  }
}
