/** ComNet of a running router: links with what STAMP and the counters say, ways, and the computing behind the exits. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ComNetView } from '../../daemon/northbound/facade.js';
import { waitFor } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import { END, LOOPBACK, SERVICE, WaysLab } from './ways-lab.js';

describe('the ComNet of a router', () => {
  let network: WaysLab;
  before(async () => {
    network = await WaysLab.up('links-comnet', { links: { interval: '50ms' } });
  });
  after(() => (network as WaysLab | undefined)?.down());

  const graph = (): Promise<ComNetView> => network.ask<ComNetView>('show', 'comnet');
  const link = async (name: string): Promise<ComNetView['edges'][number]> => (await graph()).edges.find(({ kind, interface: each }) => kind === 'link' && each === name)!;

  it('has the exits with their computing, and a way to each by every segment list', async () => {
    const { nodes, edges } = await graph();
    assert.deepEqual(nodes.filter(({ kind }) => kind !== 'router').map(({ id, name, kind, computing }) => [id, name, kind, computing.map(({ service, instance }) => `${service}#${instance}`).sort()]).sort(), [
      [LOOPBACK.exit1, null, 'exit', [`${SERVICE.single}#1`, `${SERVICE.both}#2`]],
      [LOOPBACK.exit2, null, 'exit', [`${SERVICE.both}#3`]],
      [LOOPBACK.entry, 'entry', 'self', []],
    ]);
    assert.deepEqual(edges.filter(({ kind }) => kind === 'way').map(({ to, via, up }) => [to, via.join(), up]).sort(), [[LOOPBACK.exit1, END.ta, true], [LOOPBACK.exit1, END.tb, true], [LOOPBACK.exit2, '', true]]);
  });

  it('an exit that no router is before is the neighbour on the link', async () => {
    await waitFor(async () => (await link('eth4')).to === LOOPBACK.exit2, { timeoutMs: 5000, what: 'the exit at the end of the link', intervalMs: 50 });
    assert.equal((await link('eth2')).to, '2001:db8:0:1::2', 'the ID of a transit router is not known');
  });

  it('a link has the delay, the variation and the loss that it is given, one way', async () => {
    await waitFor(async () => (await link('eth2')).delayUs, { timeoutMs: 5000, what: 'a measured link', intervalMs: 50 });
    await network.lab.setDelay('entry:eth2', 20);
    const delayed = await waitFor(
      async () => {
        const each = await link('eth2');
        return Math.abs((each.delayUs ?? 0) - 20_000) < 3000 && each;
      },
      { timeoutMs: 10_000, what: '20 ms', intervalMs: 100 },
    );
    assert.ok(delayed.weight! >= delayed.delayUs!);
    await network.lab.setDelay('entry:eth2', 0);
    await network.lab.setLoss('ta:eth1', 30);
    await waitFor(async () => (await link('eth2')).lossPpm! > 150_000, { timeoutMs: 10_000, what: 'loss', intervalMs: 100 });
    await network.lab.setLoss('ta:eth1', 0);
  });

  it('knows how much of a link is used from its counters, and its bandwidth from the driver', async () => {
    const client = await network.traffic(SERVICE.single, 4, 1000);
    const used = await waitFor(
      async () => {
        const each = await link('eth2');
        return (each.sendRate ?? 0) > 500_000 && each;
      },
      { timeoutMs: 12_000, what: 'a rate', intervalMs: 200 },
    );
    assert.equal(used.bandwidth, 10e9, 'what veth states');
    assert.ok(Math.abs(used.utilisation! - Math.max(used.sendRate!, used.receiveRate!) / 10e9) < 1e-9);
    await network.report(client);
  });

  it('a link that fails is down', async () => {
    await network.lab.fail('entry:eth3');
    await waitFor(async () => !(await link('eth3')).up, { timeoutMs: 5000, what: 'the link to be down', intervalMs: 50 });
    assert.equal((await link('eth3')).weight, null);
    await network.lab.restore('entry:eth3');
  });

  it('is printed and drawn', async () => {
    const entry = network.lab.node('entry');
    const text = await entry.run([process.execPath, join(checkout, 'dist/cli/cpnctl.js'), 'show', 'comnet', '--svg', '/tmp/comnet.svg']);
    assert.match(text, new RegExp(`by ${END.ta}`));
    assert.match(text, /weight: expected delay/);
    assert.match(text, /smoothing: .*gain 1\/8/);
    const file = `/proc/${entry.init.pid}/root/tmp/comnet.svg`;
    assert.ok(existsSync(file));
    assert.match(readFileSync(file, 'utf8'), /^<svg [^]*fc00:0:11::1[^]*<\/svg>\n$/);
  });
});
