/** A TCP connection that is opened and closed again: the service listens. */
import { connect } from 'node:net';
import { failureText } from './failure.js';
import type { Probe } from './check.js';

export function tcpProbe(address: string, port: number): Probe {
  return (done) => {
    const socket = connect({ host: address, port });
    socket.once('connect', () => {
      socket.destroy();
      done(undefined);
    });
    socket.once('error', (error) => done(failureText(error)));
    return { cancel: () => socket.destroy() };
  };
}
