/** Services, instances, and what is measured and announced of them. */
import { z } from 'zod';
import { canonicalIp } from '../../../dataplane/packet/ip.js';
import { LOAD_MODELS } from '../../steering/load/model.js';
import { maxInterval, minInterval, threshold, validity } from './announce.js';
import { CLASSES, U32, bandwidth, byKey, duration, globalIpv6, integer, interfaceName, ip, ipv6, list, loss, mapping, microseconds, octets, oneOf, operations, servicePrefix, text } from './common.js';
import { healthCheck } from './health.js';
import { model } from './model.js';
import { stamp } from './stamp.js';
import { strategy } from './strategy.js';
import { ways } from './via.js';

const objectiveWeight = integer(0, 255, 'a weight').default(0);

const requirements = mapping({
  maxLatency: microseconds().optional(),
  computing: mapping({ class: CLASSES, minOps: operations }).optional(),
  stickiness: mapping({ mode: oneOf('none', 'flow', 'client'), duration: duration(0, 65_535_000, 'up to 65535s').default(300_000) }).optional(),
  storage: mapping({ ability: oneOf('block', 'file', 'object'), minOctets: octets }).optional(),
  network: mapping({ minBandwidth: bandwidth.default(0n), maxPdv: microseconds().optional(), maxLoss: loss.optional() }).optional(),
  algorithm: integer(0, 65535, 'an algorithm number').optional(),
  objective: mapping({ latency: objectiveWeight, energy: objectiveWeight, utilisation: objectiveWeight, price: objectiveWeight }).optional(),
});

const serviceConfig = mapping({
  id: text('an IP address or "default"', (value) => (value === 'default' ? value : canonicalIp(value))),
  requirements: requirements.prefault({}),
  via: byKey(ipv6, ways, 'exit router ID to transit SIDs').default({}),
  strategy: strategy.optional(),
  announce: mapping({ minInterval: minInterval.optional(), maxInterval: maxInterval.optional(), threshold: threshold.optional(), validity: validity.optional() }).optional(),
});

const instance = mapping({
  service: ip,
  id: integer(1, U32, 'an instance number'),
  node: mapping({ address: ip, interface: interfaceName }),
  sid: globalIpv6.optional(),
  computing: list(
    mapping({ class: CLASSES, chip: oneOf('mixed', 'cpu', 'gpu', 'dpu', 'npu', 'tpu', 'fpga').default('mixed'), total: operations, residual: operations.optional() }),
    'computing capacities',
  ).default([]),
  serviceRate: integer(0, U32, 'requests per second').default(0),
  serviceDelay: mapping({ mean: microseconds(), p99: microseconds().optional() }).optional(),
  queueCapacity: integer(0, U32, 'a number of requests').default(100),
  healthCheck: healthCheck.optional(),
});

/** Types that IANA gave to other path attributes, and 254: BIRD drops the route (WIRE.md section 2). */
const FOREIGN_ATTRIBUTES = new Set([...Array(43).keys(), 128, 129, 254]);

/** Options that a receiver skips when it does not know them and that stay unchanged under way: high bits 000 (RFC 8200 section 4.2). */
const FOREIGN_OPTIONS = new Set([0x00, 0x01, 0x04, 0x05, 0x07, 0x08, 0x0f]);

export const cpn = mapping({
  servicePrefixes: list(servicePrefix, 'prefixes').default([]),
  attributeType: z
    .int({ error: 'a BGP attribute type from 43 to 255 that is neither 128, 129 nor 254' })
    .refine((value) => value > 0 && value < 256 && !FOREIGN_ATTRIBUTES.has(value), { error: 'a BGP attribute type from 43 to 255 that is neither 128, 129 nor 254' })
    .default(255),
  requirementOption: z
    .int({ error: 'an IPv6 option type from 2 to 31 (skip if unknown, immutable) that is not assigned' })
    .refine((value) => value >= 0 && value < 32 && !FOREIGN_OPTIONS.has(value), { error: 'an IPv6 option type from 2 to 31 (skip if unknown, immutable) that is not assigned' })
    .default(0x1e),
  services: list(serviceConfig, 'services').default([]),
  instances: list(instance, 'instances').default([]),
  stamp: stamp.prefault({}),
  announce: mapping({
    minInterval: minInterval.default(1000),
    maxInterval: maxInterval.default(60_000),
    threshold: threshold.default(0.1),
    validity: validity.default(0),
    rate: integer(0, 1_000_000, 'services a second (0: no limit)').default(500),
    burst: integer(1, 1_000_000, 'a number of services').default(2000),
  }).prefault({}),
  model: model.prefault({}),
  prediction: mapping({ model: oneOf(...LOAD_MODELS).default('learned'), horizon: duration(0, 60_000, 'up to 1m').default(1000) }).prefault({}),
  restartTime: duration(0, 4_095_000, 'up to 4095s').default(60_000),
});
