/** The telemetry service of the API: what it needs of the router, and its methods. */
import { canonicalIp, Prefix } from '../../dataplane/packet/ip.js';
import { telemetryMethods } from '../../proto/methods.js';
import { FacadeError } from './facade.js';
import type { Sink, Transport } from './transport.js';

/** One route of an UPDATE as it passed. */
export interface BgpUpdateView {
  readonly unixMs: bigint;
  readonly neighbor: string;
  readonly direction: 'received' | 'sent';
  readonly kind: 'announce' | 'withdraw' | 'end-of-rib';
  readonly family: string;
  readonly prefix: string;
  readonly pathId: number;
  readonly nextHop: string | undefined;
  readonly origin: string | undefined;
  readonly asPath: string | undefined;
  readonly med: number | undefined;
  readonly localPref: number | undefined;
  readonly communities: readonly string[];
  readonly cpn: string | undefined;
  readonly disposition: string;
}

export interface UpdateFilter {
  readonly neighbor: string | undefined;
  readonly prefix: string | undefined;
}

export interface CollectorsView {
  readonly bmp: readonly { readonly station: string; readonly connected: boolean; readonly connections: number; readonly messages: bigint; readonly octets: bigint; readonly givenUp: number }[];
  readonly mrt: { readonly written: bigint; readonly dropped: bigint } | undefined;
  readonly metrics: string | undefined;
}

export interface TelemetryFacade {
  /** Calls `listener` with each route of each UPDATE from now on; returns the way to stop. Throws FacadeError without BGP. */
  onUpdate(filter: UpdateFilter, listener: (update: BgpUpdateView) => void): () => void;
  /** Rejects with FacadeError when the file cannot be written. */
  dumpTable(path: string): Promise<{ readonly prefixes: number; readonly paths: number; readonly octets: bigint }>;
  collectors(): CollectorsView;
}

/** Updates that wait for a slow client. */
const QUEUE_LIMIT = 8192;

export function telemetryService(transport: Transport, facade: TelemetryFacade): void {
  transport.unary(telemetryMethods.getCollectors, () => facade.collectors());
  transport.unary(telemetryMethods.dumpTable, ({ path }) => {
    if (!path.startsWith('/')) throw new FacadeError('invalid', `path: ${JSON.stringify(path)} is not an absolute path of the router`);
    return facade.dumpTable(path);
  });
  transport.stream(telemetryMethods.watchUpdates, (request, sink) => watchUpdates(facade, filterOf(request), sink));
}

function filterOf({ neighbor, prefix }: UpdateFilter): UpdateFilter {
  const address = neighbor === undefined ? undefined : canonicalIp(neighbor);
  if (neighbor !== undefined && address === undefined) throw new FacadeError('invalid', `neighbor: ${JSON.stringify(neighbor)} is not an IP address`);
  const parsed = prefix === undefined ? undefined : Prefix.parse(prefix);
  if (prefix !== undefined && !parsed) throw new FacadeError('invalid', `prefix: ${JSON.stringify(prefix)} is not a prefix`);
  return { neighbor: address, prefix: parsed?.toString() };
}

async function watchUpdates(facade: TelemetryFacade, filter: UpdateFilter, sink: Sink<BgpUpdateView & { readonly missed: number }>): Promise<void> {
  let queue: BgpUpdateView[] = [];
  let missed = 0;
  let wake: (() => void) | undefined;
  const stop = facade.onUpdate(filter, (update) => {
    if (queue.length >= QUEUE_LIMIT) missed++;
    else queue.push(update);
    wake?.();
  });
  void sink.end.then(() => wake?.());
  /** Resolves with the next update, or when the client is gone: perhaps it went while the last ones were sent. */
  const woken = async (): Promise<void> => {
    if (!sink.open) return;
    await new Promise<void>((resolve) => (wake = resolve));
    wake = undefined;
  };
  try {
    while (sink.open) {
      const batch = queue;
      queue = [];
      for (const update of batch) {
        const before = missed;
        missed = 0;
        if (!(await sink.send({ ...update, missed: before }))) return;
      }
      if (queue.length === 0) await woken();
    }
  } finally {
    stop();
  }
}
