/**
 * Shape of a topology file. Fields the lab uses are checked by their type; fields that containerlab's schema knows and namespaces have no
 * use for are accepted with a warning; anything else is an error (the lists are those of containerlab's clab.schema.json).
 */
import { z } from 'zod';

const scalar = z.union([z.string(), z.number(), z.boolean()], 'expected a string, a number or a boolean').transform(String);
const texts = z.array(z.string());
const scalars = z.record(z.string(), scalar);

export const nodeSchema = z.looseObject({
  kind: z.string().optional(),
  image: z.string().optional(),
  cmd: z.string().optional(),
  entrypoint: z.string().optional(),
  hostname: z.string().min(1).optional(),
  group: z.string().optional(),
  binds: texts.optional(),
  exec: texts.optional(),
  env: scalars.optional(),
  'env-files': texts.optional(),
  sysctls: scalars.optional(),
  labels: scalars.optional(),
  'startup-delay': z.int().min(0).optional(),
});

export type NodeDefinition = z.output<typeof nodeSchema>;

const definition = nodeSchema.nullable();

const endpointObject = z.looseObject({
  node: z.string(),
  interface: z.string(),
  mac: z.string().regex(/^(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$/, 'expected a MAC address such as aa:c1:ab:00:00:01').optional(),
  ipv4: z.string().optional(),
  ipv6: z.string().optional(),
});

const linkSchema = z.looseObject({
  type: z.string().optional(),
  endpoints: z
    .array(z.union([z.string(), endpointObject], 'expected "node:interface" or {node, interface}'))
    .length(2, 'expected exactly two endpoints'),
  mtu: z.int().min(68).max(65535).optional(),
  ipv4: texts.max(2).optional(),
  ipv6: texts.max(2).optional(),
  labels: scalars.optional(),
  vars: z.record(z.string(), z.unknown()).optional(),
});

export type LinkDefinition = z.output<typeof linkSchema>;

export const fileSchema = z.looseObject({
  name: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9\-._]*$/, 'expected letters, digits, "-", "." and "_", a letter or digit first'),
  prefix: z.string().nullish(),
  mgmt: z.looseObject({}).nullish(),
  topology: z.looseObject({
    defaults: definition.optional(),
    kinds: z.record(z.string(), definition).optional(),
    groups: z.record(z.string(), definition).optional(),
    nodes: z.record(z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9\-._|]*$/, 'expected letters, digits, "-", "." and "_"'), definition),
    links: z.array(linkSchema).nullish(),
  }),
});

export type FileDefinition = z.output<typeof fileSchema>;

/** Fields of each kind of object: those the lab reads, and those it passes over with a warning. */
export interface Fields {
  readonly used: readonly string[];
  readonly ignored: readonly string[];
}

export const fileFields: Fields = { used: ['name', 'topology'], ignored: ['prefix', 'mgmt', 'settings', 'debug'] };
export const topologyFields: Fields = { used: ['defaults', 'kinds', 'groups', 'nodes', 'links'], ignored: [] };
export const nodeFields: Fields = {
  used: ['kind', 'image', 'cmd', 'hostname', 'group', 'binds', 'exec', 'env', 'env-files', 'sysctls', 'labels', 'startup-delay'],
  ignored: [
    'aliases', 'auto-remove', 'cap-add', 'certificate', 'cgroup-parent', 'cgroupns-mode', 'components', 'config', 'cpu', 'cpu-set',
    'credentials', 'devices', 'dns', 'enforce-startup-config', 'entrypoint', 'extras', 'healthcheck', 'image-pull-policy', 'license',
    'link-apply-mode', 'memory', 'mgmt-ipv4', 'mgmt-ipv6', 'network-mode', 'pid-mode', 'ports', 'position', 'privileged', 'publish',
    'restart-policy', 'runtime', 'sandbox', 'security-opts', 'shm-size', 'stages', 'startup-config', 'suppress-startup-config', 'tmpfs',
    'type', 'user', 'volumes', 'wait-for',
  ],
};
export const linkFields: Fields = { used: ['type', 'endpoints', 'mtu', 'ipv4', 'ipv6', 'labels', 'vars'], ignored: [] };
export const endpointFields: Fields = { used: ['node', 'interface', 'mac', 'ipv4', 'ipv6'], ignored: ['vars'] };

/** Fields passed over silently: they describe the container run time and change nothing a namespace could show. */
export const silentFields: ReadonlySet<string> = new Set(['prefix', 'image-pull-policy', 'privileged', 'cap-add', 'restart-policy', 'position']);
