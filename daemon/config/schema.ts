/**
 * The shape of a configuration file: which fields there are, what each may hold, and its default; schema/ holds one file a section. What
 * depends on other fields is decided in resolve.ts and check.ts.
 */
import type { z } from 'zod';
import { bfd } from './schema/bfd.js';
import { bgp } from './schema/bgp.js';
import { byKey, interfaceName, list, mapping, oneOf, text } from './schema/common.js';
import { cpn } from './schema/cpn.js';
import { dataplane } from './schema/dataplane.js';
import { hierarchy } from './schema/hierarchy.js';
import { ospf } from './schema/ospf.js';
import { registration } from './schema/registration.js';
import { interfaceConfig, router, staticRoute } from './schema/router.js';
import { telemetry } from './schema/telemetry.js';

/** The whole file. */
export const fileSchema = mapping({
  router,
  interfaces: byKey(interfaceName, interfaceConfig, 'interfaces by name').default({}),
  static: list(staticRoute, 'static routes').default([]),
  bfd: bfd.prefault({}),
  bgp: bgp.optional(),
  ospf: ospf.optional(),
  hierarchy: hierarchy.optional(),
  cpn: cpn.prefault({}),
  registration: registration.optional(),
  dataplane: dataplane.prefault({}),
  telemetry: telemetry.prefault({}),
  api: mapping({
    listen: text('unix:///absolute/path', (value) => (/^unix:\/\/\/[^\0]{1,100}$/.test(value) ? value : undefined)).default('unix:///run/cpn/cpnd.sock'),
  }).prefault({}),
  log: mapping({ level: oneOf('trace', 'debug', 'info', 'warn', 'error').default('info') }).prefault({}),
});

export type FileConfig = z.output<typeof fileSchema>;
