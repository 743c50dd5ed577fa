/** A TCP connection that is opened and closed again: the service listens. */
import { connect } from 'node:net';
import type { Probe } from './check.js';

const MESSAGES: Readonly<Record<string, string>> = { ECONNREFUSED: 'connection refused', EHOSTUNREACH: 'host unreachable', ENETUNREACH: 'network unreachable' };

export function tcpProbe(address: string, port: number): Probe {
  return (done) => {
    const socket = connect({ host: address, port });
    socket.once('connect', () => {
      socket.destroy();
      done(undefined);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => done(MESSAGES[error.code ?? ''] ?? error.message));
    return { cancel: () => socket.destroy() };
  };
}
