/** ComNet as a picture: routers with the computing behind them, links and ways with what is measured of them. SVG 1.1. */
import type { ComNetView } from '../../daemon/northbound/facade.js';
import { layOut, type Point } from './layout.js';
import { COLOURS, escapeXml } from './line-plot.js';

type Node = ComNetView['nodes'][number];
type Edge = ComNetView['edges'][number];

/** How numbers are put into words; those of the tables. */
export interface Words {
  microseconds(us: number | undefined): string | undefined;
  scaled(value: bigint): string;
}

const WIDTH = 1000;
const HEIGHT = 700;
const MARGIN = { top: 90, bottom: 110, side: 150 };
const RADIUS = 16;
const LINE = 14;
/** Instances that are listed at a node; the rest is counted. */
const MOST_LISTED = 4;
/** Distance of parallel edges of two nodes from each other. */
const SPREAD = 46;
/** Share of an edge's length between the labels of parallel edges. */
const LABEL_STEP = 0.2;
const KIND_COLOURS: Readonly<Record<Node['kind'], string>> = { self: COLOURS[1], exit: COLOURS[0], router: '#888888' };
const DOWN = '#cc0000';

export function comnetSvg(view: ComNetView, words: Words): string {
  const index = new Map(view.nodes.map(({ id }, i) => [id, i]));
  const pairs = view.edges.flatMap(({ from, to }) => (index.has(from) && index.has(to) ? [[index.get(from)!, index.get(to)!] as const] : []));
  const centre = Math.max(0, view.nodes.findIndex(({ kind }) => kind === 'self'));
  const places = layOut(view.nodes.length, pairs, centre).map(({ x, y }) => ({ x: MARGIN.side + x * (WIDTH - 2 * MARGIN.side), y: MARGIN.top + y * (HEIGHT - MARGIN.top - MARGIN.bottom) }));
  const placeOf = (id: string): Point => places[index.get(id)!]!;
  const parallel = new Map<string, Edge[]>();
  for (const edge of view.edges) {
    if (!index.has(edge.from) || !index.has(edge.to)) continue;
    const key = [edge.from, edge.to].sort().join(' ');
    parallel.set(key, [...(parallel.get(key) ?? []), edge]);
  }
  const lines = [...parallel.values()].flatMap((edges) => edges.map((edge, i) => drawEdge(edge, placeOf(edge.from), placeOf(edge.to), i - (edges.length - 1) / 2, words)));
  const nodes = view.nodes.map((node, i) => drawNode(node, places[i]!, words));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(20, 24, 'ComNet: computing and network as this router knows them', 'font-size="15" font-weight="bold"'),
    text(20, 42, 'links are drawn through, ways across the network dashed, what is down red', 'fill="#555"'),
    ...lines.map(({ line }) => line),
    ...lines.map(({ label }) => label),
    ...nodes,
    '</svg>',
    '',
  ].join('\n');
}

const text = (x: number, y: number, content: string, more = ''): string => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escapeXml(content)}</text>`;
/** Text with a white rim, so that it can be read over lines. */
const over = 'text-anchor="middle" stroke="white" stroke-width="3" paint-order="stroke"';

/** `place` of the edge among those of its two nodes: 0 in the middle. */
function drawEdge(edge: Edge, from: Point, to: Point, place: number, words: Words): { readonly line: string; readonly label: string } {
  const length = Math.max(1, Math.hypot(to.x - from.x, to.y - from.y));
  // Parallel edges bend away from each other; the same side whichever end comes first.
  const offset = place * 2 * SPREAD * (edge.from < edge.to ? 1 : -1);
  const control = { x: (from.x + to.x) / 2 - ((to.y - from.y) / length) * offset, y: (from.y + to.y) / 2 + ((to.x - from.x) / length) * offset };
  const colour = edge.up ? (edge.kind === 'link' ? '#333333' : COLOURS[2]) : DOWN;
  // Labels side by side would run into each other, so they stand at different heights of their edges.
  const at = Math.min(0.8, Math.max(0.2, 0.5 + place * LABEL_STEP));
  const bezier = (a: number, b: number, c: number): number => (1 - at) ** 2 * a + 2 * at * (1 - at) * b + at ** 2 * c;
  const middle = { x: bezier(from.x, control.x, to.x), y: bezier(from.y, control.y, to.y) };
  const path = `M${from.x.toFixed(1)} ${from.y.toFixed(1)}Q${control.x.toFixed(1)} ${control.y.toFixed(1)} ${to.x.toFixed(1)} ${to.y.toFixed(1)}`;
  const facts = describeEdge(edge, words);
  return {
    line: `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${edge.kind === 'link' ? 2.5 : 1.5}"${edge.kind === 'way' ? ' stroke-dasharray="6 4"' : ''}/>`,
    label: facts.map((fact, i) => text(middle.x, middle.y + (i - (facts.length - 1) / 2) * LINE + 4, fact, `${over} fill="${colour}"`)).join('\n'),
  };
}

function describeEdge({ kind, interface: name, via, up, delayUs, lossPpm, utilisation }: Edge, words: Words): string[] {
  const first = kind === 'link' ? (name ?? 'link') : via.length > 0 ? `by ${via.join(', ')}` : 'way';
  const measured = [words.microseconds(delayUs), lossPpm ? `loss ${(lossPpm / 10_000).toFixed(1)} %` : undefined, utilisation ? `${(utilisation * 100).toFixed(1)} % used` : undefined];
  const second = up ? measured.filter((fact) => fact !== undefined).join(', ') : 'down';
  return second === '' ? [first] : [first, second];
}

function drawNode({ id, name, kind, computing }: Node, { x, y }: Point, words: Words): string {
  const listed = computing.slice(0, MOST_LISTED).map(({ service, instance, residual, total, grade }) => `${service}#${instance}: ${words.scaled(residual)}/${words.scaled(total)}${grade === undefined ? '' : ` ${grade}`}`);
  if (computing.length > MOST_LISTED) listed.push(`and ${computing.length - MOST_LISTED} more`);
  return [
    `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${RADIUS}" fill="${KIND_COLOURS[kind]}" stroke="white" stroke-width="2"/>`,
    text(x, y - RADIUS - 6, name === undefined ? id : `${name} (${id})`, `${over} font-weight="bold"`),
    ...listed.map((fact, i) => text(x, y + RADIUS + LINE * (i + 1), fact, `${over} fill="#333"`)),
  ].join('\n');
}
