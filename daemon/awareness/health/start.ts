/** Health checks as the configuration names them. */
import type { Clock } from '../../clock.js';
import type { HealthCheckConfig } from '../../config/types.js';
import type { StartHealthCheck } from '../instances.js';
import { HealthCheck, type Probe } from './check.js';
import { grpcProbe } from './grpc.js';
import { httpProbe } from './http.js';
import { icmpProbe } from './icmp.js';
import { tcpProbe } from './tcp.js';
import { HealthVerdict } from './verdict.js';

function probeOf(config: HealthCheckConfig): Probe {
  switch (config.kind) {
    case 'tcp':
      return tcpProbe(config.address, config.port);
    case 'icmp':
      return icmpProbe(config.address);
    case 'http':
      return httpProbe(config);
    case 'grpc':
      return grpcProbe(config.address, config.port, config.grpcService);
  }
}

export function healthChecks(clock: Clock): StartHealthCheck {
  return (config, listener) => {
    const verdict = new HealthVerdict(config, clock, listener);
    const check = new HealthCheck(config, probeOf(config), clock, ({ status, reason }) => verdict.update(status === 'up' ? 'up' : 'down', reason));
    check.start();
    return {
      stop: () => {
        check.stop();
        verdict.stop();
      },
    };
  };
}
