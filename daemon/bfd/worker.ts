/** The thread that runs the BFD service: its own event loop, so that nothing the daemon is busy with makes a packet late. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../clock.js';
import type { FromWorker, ToWorker } from './messages.js';
import { BfdService } from './service.js';
import type { BfdConfig, BfdHandle } from './types.js';
import { UdpTransport } from './udp-transport.js';

/** Linux counts it for this thread alone. */
const NICE = -15;

function serve(port: NonNullable<typeof parentPort>): void {
  const say = (message: FromWorker): void => port.postMessage(message);
  const handles = new Map<number, BfdHandle>();
  const service = new BfdService({
    clock: systemClock,
    transport: new UdpTransport(),
    random: Math.random,
    config: workerData as BfdConfig,
    report: (event) => say({ kind: 'event', event }),
  });
  port.on('message', (message: ToWorker) => {
    switch (message.do) {
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
        say({ kind: 'closed' });
        port.close();
        break;
    }
  });
}

try {
  setPriority(NICE);
} catch {
  // Without CAP_SYS_NICE it runs as everything else does.
}
if (parentPort) serve(parentPort);
