/** Events of the protocol engine in the event log of the router. */
import type { EventLog, Severity } from '../events.js';
import type { OspfEvent } from './events.js';
import { formatId } from './ids.js';

interface Report {
  readonly type: string;
  readonly severity: Severity;
  readonly text: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

const lsaName = (type: number, id: number): string => `LSA 0x${type.toString(16)} ${formatId(id)}`;

function reportOf(event: OspfEvent): Report {
  switch (event.kind) {
    case 'interface-state':
      return { type: 'interface', severity: 'info', text: `${event.interface}: ${event.from} -> ${event.to}`, fields: { interface: event.interface, state: event.to } };
    case 'neighbor-state': {
      const { interface: name, routerId, address, from, to, reason, restarting } = event;
      const isLost = from === 'Full' && !restarting;
      return {
        type: isLost ? 'neighbor-lost' : to === 'Full' ? 'neighbor-full' : 'neighbor',
        severity: isLost ? 'warning' : to === 'Full' ? 'info' : 'debug',
        text: `${routerId} on ${name}: ${from} -> ${to}${reason === '' ? '' : ` (${reason})`}`,
        fields: { interface: name, router: routerId, address, from, state: to, reason },
      };
    }
    case 'packet-dropped':
      return { type: 'packet-dropped', severity: 'warning', text: `${event.interface}: packet of ${event.source} dropped: ${event.reason}`, fields: { interface: event.interface, source: event.source, counter: event.counter } };
    case 'transport-failed':
      return { type: 'transport-failed', severity: 'warning', text: `${event.interface}: ${event.reason}`, fields: { interface: event.interface } };
    case 'graceful-restart':
      return {
        type: 'graceful-restart',
        severity: 'info',
        text: `${event.helping ? 'helping' : 'no longer helping'} ${event.routerId} on ${event.interface} to restart: ${event.reason}`,
        fields: { interface: event.interface, router: event.routerId },
      };
    case 'lsdb-overload':
      return {
        type: 'lsdb-overload',
        severity: 'error',
        text: `${event.lsas} LSAs of others are more than maxLsas ${event.maximum}: out of the area for ${event.coolOffMs / 1000}s`,
        fields: { lsas: event.lsas, maximum: event.maximum },
      };
    case 'lsdb-overload-over':
      return { type: 'lsdb-overload-over', severity: 'info', text: 'in the area again after an overload', fields: {} };
    case 'own-lsa-received':
      return { type: 'own-lsa-received', severity: 'info', text: `${lsaName(event.type, event.id)} of this router came from a neighbor, newer than known here: ${event.action}`, fields: { type: event.type, id: event.id } };
    case 'restart-over':
      return { type: 'restart-over', severity: 'info', text: `the restart is over: ${event.reason}`, fields: {} };
    case 'lsa-corrupted':
      return { type: 'lsa-corrupted', severity: 'error', text: `${lsaName(event.type, event.id)} of ${event.router} changed in memory`, fields: { type: event.type, id: event.id, router: event.router } };
  }
}

export function reportEvent(event: OspfEvent, events: EventLog): void {
  const { type, severity, text, fields } = reportOf(event);
  events.emit('ospf', `ospf.${type}`, severity, text, fields);
}
