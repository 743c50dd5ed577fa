import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { comnetSvg } from '../../../cli/plot/comnet.js';
import { layOut } from '../../../cli/plot/layout.js';
import { microseconds, scaled } from '../../../cli/table.js';
import { FakeFacade } from '../../daemon/northbound/fake-facade.js';

describe('the layout of a graph', () => {
  it('keeps nodes in the square and apart from each other, whatever the edges are', () => {
    const graphs = fc.integer({ min: 1, max: 12 }).chain((count) => fc.tuple(fc.constant(count), fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 30 })));
    fc.assert(
      fc.property(graphs, ([count, edges]) => {
        const points = layOut(count, edges, 0);
        assert.equal(points.length, count);
        for (const { x, y } of points) assert.ok(x >= 0 && x <= 1 && y >= 0 && y <= 1, `${x} ${y}`);
        points.forEach((a, i) => points.slice(i + 1).forEach((b) => assert.ok(Math.hypot(a.x - b.x, a.y - b.y) > 0)));
      }),
      { numRuns: 30 },
    );
  });

  it('is the same each time', () => assert.deepEqual(layOut(5, [[0, 1], [1, 2]], 0), layOut(5, [[0, 1], [1, 2]], 0)));
  it('of nothing is nothing', () => assert.deepEqual(layOut(0, [], 0), []));
});

describe('the picture of a ComNet', () => {
  it('has every node with its computing, and every edge with what is measured of it', () => {
    const svg = comnetSvg(new FakeFacade().comnet(), { microseconds, scaled });
    assert.match(svg, /entry \(fc00:0:1::1\)/);
    assert.match(svg, /#1: 8T\/10T large/);
    assert.match(svg, /eth1<\/text>\n<text [^>]*>500us, loss 0\.1 %, 25\.0 % used/);
    assert.match(svg, /by fcbb:bb00:2::<\/text>\n<text [^>]*>down/);
    assert.equal(svg.match(/<circle/g)?.length, 3);
  });

  it('escapes names, and leaves out an edge to a node that is not there', () => {
    const view = new FakeFacade().comnet();
    const svg = comnetSvg({ ...view, nodes: view.nodes.slice(0, 1).map((node) => ({ ...node, name: '<&>' })) }, { microseconds, scaled });
    assert.match(svg, /&#60;&#38;&#62;/);
    assert.ok(!svg.includes('<path'));
  });
});
