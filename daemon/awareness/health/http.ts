/** An HTTP GET (RFC 9110): the service answers with a good status and, where asked for, a text in its body. */
import { request } from 'node:http';
import type { HealthCheckConfig } from '../../config/types.js';
import { failureText } from './failure.js';
import type { Probe } from './check.js';

/** What is read of a body, octets: a check is no download. */
const MOST_READ = 65_536;

export function httpProbe({ address, port, http }: Pick<HealthCheckConfig, 'address' | 'port' | 'http'>): Probe {
  const { path, status, body } = http;
  const host = http.host ?? (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);
  const isGood = (code: number): boolean => (status.length === 0 ? code >= 200 && code < 300 : status.includes(code));
  return (done) => {
    let ended = false;
    const end = (failure: string | undefined): void => {
      if (ended) return;
      ended = true;
      attempt.destroy();
      done(failure);
    };
    // No agent: a connection of its own each time is part of what is checked.
    const attempt = request({ host: address, port, path, agent: false, headers: { host, 'user-agent': 'cpnd', connection: 'close' } });
    attempt.once('error', (error) => end(failureText(error)));
    attempt.once('response', (response) => {
      const code = response.statusCode ?? 0;
      if (!isGood(code) || body === undefined) {
        end(isGood(code) ? undefined : `HTTP status ${code}`);
        return;
      }
      const parts: Buffer[] = [];
      let length = 0;
      const judge = (): void => end(Buffer.concat(parts).subarray(0, MOST_READ).includes(body) ? undefined : `the body does not hold ${JSON.stringify(body)}`);
      response.on('data', (part: Buffer) => {
        parts.push(part);
        length += part.length;
        if (length >= MOST_READ) judge();
      });
      response.once('end', judge);
      response.once('error', (error) => end(failureText(error)));
    });
    attempt.end();
    return {
      cancel: () => {
        ended = true;
        attempt.destroy();
      },
    };
  };
}
