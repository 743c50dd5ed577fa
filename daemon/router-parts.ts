/** What the views of the API read of a router. */
import type { Dataplane } from '../dataplane/dataplane.js';
import type { ComNet } from './awareness/comnet/comnet.js';
import type { LocalInstances } from './awareness/instances.js';
import type { PathMonitor } from './awareness/path-monitor.js';
import type { StampService } from './awareness/stamp/service.js';
import type { BfdProcess } from './bfd/process.js';
import type { BgpSpeaker } from './bgp/speaker.js';
import type { ChangeHub } from './changes.js';
import type { Clock } from './clock.js';
import type { Config } from './config/types.js';
import type { EventLog } from './events.js';
import type { Side } from './hierarchy/sides.js';
import type { Registration } from './registration.js';
import type { Ospf } from './ospf/ospf.js';
import type { ConfigAnswer } from './northbound/facade.js';
import type { ComputingRib } from './rib/computing-rib.js';
import type { Steering } from './steering/steering.js';
import type { UnicastRouting } from './unicast.js';

export interface RouterParts {
  readonly config: () => Config;
  readonly configFile: string;
  readonly clock: Clock;
  readonly nowNs: () => bigint;
  readonly startedAt: number;
  readonly dataplane: Dataplane;
  readonly unicast: UnicastRouting;
  readonly computingRib: ComputingRib;
  readonly steering: Steering;
  /** As border, for packets that come to an aggregate SID. */
  readonly borders: Readonly<Record<Side, Steering>>;
  readonly instances: LocalInstances;
  readonly paths: PathMonitor;
  readonly comnet: ComNet;
  readonly stamp: StampService | undefined;
  readonly bfd: BfdProcess;
  readonly bgp: BgpSpeaker | undefined;
  readonly ospf: Ospf | undefined;
  readonly registration: Registration | undefined;
  readonly events: EventLog;
  readonly changes: ChangeHub;
  reload(text: string): Promise<ConfigAnswer>;
}
