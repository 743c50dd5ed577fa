/** Health checks as the configuration names them. */
import type { Clock } from '../../clock.js';
import type { StartHealthCheck } from '../instances.js';
import { HealthCheck } from './check.js';
import { icmpProbe } from './icmp.js';
import { tcpProbe } from './tcp.js';

export function healthChecks(clock: Clock): StartHealthCheck {
  return (config, listener) => {
    const probe = config.kind === 'tcp' ? tcpProbe(config.address, config.port) : icmpProbe(config.address);
    const check = new HealthCheck(config, probe, clock, ({ status, reason }) => listener(status === 'up' ? 'up' : 'down', reason));
    check.start();
    return check;
  };
}
