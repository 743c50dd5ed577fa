/**
 * The process that runs the BFD service, started by process.ts: its own event loop and heap, so that nothing the daemon is busy with makes a
 * packet late.
 */
import { native } from '../../dataplane/native/index.js';
import { systemClock } from '../clock.js';
import type { FromChild, ToChild } from './messages.js';
import { BfdService } from './service.js';
import type { BfdConfig, BfdHandle } from './types.js';
import { UdpTransport } from './udp-transport.js';

/** The lowest real-time priority is above whatever has none. */
const PRIORITY = 1;

const say = (message: FromChild): void => void process.send?.(message);

function serve(config: BfdConfig): (message: ToChild) => void {
  const handles = new Map<number, BfdHandle>();
  const service = new BfdService({ clock: systemClock, transport: new UdpTransport(), random: Math.random, config, report: (event) => say({ kind: 'event', event }) });
  // The daemon is gone without a word: the peers are told that it is not the path.
  process.on('disconnect', () => {
    service.close();
    process.exit(0);
  });
  return (message) => {
    switch (message.do) {
      case 'start':
        break;
      case 'register': {
        const { id, request } = message;
        handles.set(id, service.register(request, (verdict, change) => say({ kind: 'verdict', id, verdict, change })));
        break;
      }
      case 'unregister':
        handles.get(message.id)?.unregister();
        handles.delete(message.id);
        break;
      case 'configure':
        service.configure(message.config);
        break;
      case 'view':
        say({ kind: 'view', id: message.id, view: service.view() });
        break;
      case 'close':
        service.close();
        process.exit(0);
    }
  };
}

// Signals of a terminal or a service manager reach the whole group; the daemon says when to end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => undefined);
try {
  native.scheduleRealTime(PRIORITY);
} catch {
  // Without CAP_SYS_NICE it runs as everything else does.
}
let handle: ((message: ToChild) => void) | undefined;
process.on('message', (message: ToChild) => {
  if (message.do === 'start') handle = serve(message.config);
  else handle?.(message);
});
