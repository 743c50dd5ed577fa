import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { linePlot } from '../../../cli/plot/line-plot.js';

const axes = { title: 'a < b & "c"', x: { label: 'x' }, left: { label: 'y' } };

const labels = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);

describe('line plot', () => {
  it('draws a line and its points, ticks at round numbers, the names escaped', () => {
    const svg = linePlot({ ...axes, series: [{ name: 'one', points: [[0, 0], [7, 93]] }] });
    assert.ok(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"') && svg.endsWith('</svg>\n'));
    assert.ok(labels(svg).includes('a &#60; b &#38; &#34;c&#34;'));
    for (const tick of ['0', '20', '100']) assert.ok(labels(svg).includes(tick), tick);
    assert.match(svg, /<polyline [^>]*points="72\.0,354\.0 648\.0,58\.3"/);
    assert.equal(svg.match(/<circle/g)!.length, 2);
  });

  it('has a logarithmic axis with powers of ten, and leaves out what is not positive there', () => {
    const svg = linePlot({ ...axes, left: { label: 'y', log: true }, series: [{ name: 'one', mark: 'points', points: [[1, 0], [2, 0.5], [3, 2000], [4, NaN]] }] });
    assert.equal(svg.match(/<circle/g)!.length, 2);
    for (const tick of ['0.1', '1', '10,000']) assert.ok(labels(svg).includes(tick), tick);
  });

  it('has a second axis with a scale of its own', () => {
    const svg = linePlot({ ...axes, right: { label: 'z' }, series: [{ name: 'one', points: [[0, 1]] }, { name: 'two', axis: 'right', points: [[0, 5000]], spread: [100] }] });
    assert.ok(labels(svg).includes('z') && labels(svg).includes('6,000'));
    assert.match(svg, /stroke-dasharray/);
  });

  it('draws nothing outside the picture and no number that is none, whatever the points', () => {
    const point = fc.tuple(fc.double(), fc.double());
    fc.assert(
      fc.property(fc.array(point, { maxLength: 20 }), fc.boolean(), (points, log) => {
        const svg = linePlot({ ...axes, left: { label: 'y', log }, series: [{ name: 'one', points: points.filter(([x, y]) => Math.abs(x) < 1e12 && Math.abs(y) < 1e12) }] });
        assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
        for (const [, x, y] of svg.matchAll(/<circle cx="([^"]+)" cy="([^"]+)"/g)) assert.ok(Number(x) >= 71.9 && Number(x) <= 648.1 && Number(y) >= 35.9 && Number(y) <= 354.1, `${x} ${y}`);
      }),
    );
  });
});
