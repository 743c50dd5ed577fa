/** Dependencies point one way (ARCHITECTURE.md): codecs and models at the bottom, router.ts at the top. */
const forbid = (name, from, to, comment) => ({ name, severity: 'error', comment, from: { path: from }, to: { path: to } });
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    forbid('packet-is-bottom', '^dataplane/packet', '^(daemon|cli|lab|proto|dataplane/(?!packet))', 'dataplane/packet imports nothing of ours above it'),
    forbid('wire-is-bottom', '^daemon/[a-z]+/wire', '^(daemon/(?!computing|[a-z]+/wire)|cli|lab|proto|dataplane/(?!packet))', 'wire codecs know packets and the computing model only'),
    forbid('computing-is-bottom', '^daemon/computing/', '^(daemon/(?!computing/)|cli|lab|proto|dataplane/(?!packet))', 'the computing model is shared by all protocols'),
    forbid('dataplane-below-daemon', '^dataplane', '^(daemon/(?!clock)|cli|lab|proto)', 'the dataplane knows nothing of protocols'),
    { ...forbid('pure-ribs', '^daemon/(rib|steering|ospf/spf)/', '^(dataplane/(native|netlink|flow|kernel)|daemon/(bgp|northbound|router))', 'rib and steering know no sockets'), to: { path: '^(dataplane/(native|netlink|flow|kernel)|daemon/(bgp|northbound|router))' } },
    { name: 'no-sockets-in-the-core', severity: 'error', from: { path: '^daemon/(rib|steering|computing|ospf/spf)/' }, to: { path: '^(net|dgram|fs|child_process|tls|http)$', dependencyTypes: ['core'] } },
    forbid('only-router-knows-all', '^daemon/(?!router|cpnd)', '^daemon/router\\.', 'only cpnd.ts starts a router'),
    forbid('cli-through-the-api', '^cli', '^(daemon/(bgp|bfd|rib|steering|awareness|router)|dataplane/(flow|netlink|native))', 'cpnctl speaks the API'),
  ],
  options: { doNotFollow: { path: 'node_modules' }, tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.json' }, enhancedResolveOptions: { extensions: ['.ts', '.js'] } },
};
