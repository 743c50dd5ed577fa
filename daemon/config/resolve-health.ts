/** Health checks: from the fields of a file to the effective configuration. */
import type { FileConfig } from './schema.js';
import type { HealthCheckConfig } from './types.js';

type FileCheck = NonNullable<FileConfig['cpn']['instances'][number]['healthCheck']>;

/** `nodeAddress`: where the instance is, the address that is checked unless another is stated. */
export function resolveHealthCheck(check: FileCheck, nodeAddress: string): HealthCheckConfig {
  const { enabled, halfLife, suppress, reuse, maxSuppress } = check.damping;
  return {
    kind: check.kind,
    address: check.address ?? nodeAddress,
    port: check.port ?? 0,
    http: { path: check.path, host: check.host, status: check.status, body: check.body },
    grpcService: check.service,
    intervalMs: check.interval,
    timeoutMs: check.timeout,
    fall: check.fall,
    rise: check.rise,
    holdDownMs: check.holdDown,
    damping: enabled ? { halfLifeMs: halfLife, suppress, reuse, maxSuppressMs: maxSuppress } : undefined,
  };
}
