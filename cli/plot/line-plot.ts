/** Plots as SVG 1.1, without a browser: lines and points on linear or logarithmic axes, with a second axis on the right where wanted. */

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** A line by default. */
  readonly mark?: 'line' | 'points';
  /** The left axis by default. */
  readonly axis?: 'left' | 'right';
  /** Half height of the error bar of each point, in units of its axis. */
  readonly spread?: readonly number[];
}

export interface Axis {
  readonly label: string;
  readonly log?: boolean;
  /** The axis reaches at least from here; by default from 0 on a linear one. */
  readonly from?: number;
  readonly to?: number;
}

export interface Plot {
  readonly title: string;
  readonly x: Axis;
  readonly left: Axis;
  readonly right?: Axis;
  readonly series: readonly Series[];
  /** Pixels; 720 x 420 by default. */
  readonly width?: number;
  readonly height?: number;
}

/** Okabe and Ito's palette, which the colour-blind can tell apart. */
export const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'] as const;

const MARGIN = { top: 36, bottom: 48, left: 72, right: 72 };
const LEGEND_ROW = 18;
/** Smaller ranges of an axis count as none. */
const LEAST_RANGE = 1e-12;
/** Smaller values have no place on a logarithmic axis: their powers of ten are lost in rounding. */
const LEAST_LOG = 1e-300;

export const escapeXml = (text: string): string => text.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);

interface Scale {
  readonly ticks: readonly number[];
  /** From a value to 0..1. */
  at(value: number): number;
}

/** Ticks at 1, 2 or 5 times a power of ten, five to ten of them, or at powers of ten. */
function scaleOf(axis: Axis, values: readonly number[]): Scale {
  const finite = values.filter((value) => Number.isFinite(value) && (!axis.log || value >= LEAST_LOG));
  const low = Math.min(axis.from ?? (axis.log ? Infinity : 0), ...finite);
  const high = Math.max(axis.to ?? -Infinity, ...finite);
  if (axis.log) return logScale(Number.isFinite(low) ? low : 1, Number.isFinite(high) ? high : 10);
  return linearScale(Number.isFinite(low) ? low : 0, Number.isFinite(high) ? high : 1);
}

function linearScale(low: number, high: number): Scale {
  // A range that is lost in rounding is none.
  const range = high - low > Math.max(LEAST_RANGE, Math.abs(high) * 1e-9) ? high - low : Math.max(Math.abs(high), 1);
  const power = 10 ** Math.floor(Math.log10(range / 5));
  const step = power * [1, 2, 5, 10].find((factor) => range / (power * factor) <= 8)!;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  return { ticks, at: (value) => (value / step - first) / (last - first) };
}

function logScale(low: number, high: number): Scale {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(high) - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  return { ticks, at: (value) => (Math.log10(value) - first) / (last - first) };
}

const tickText = (value: number): string => {
  const rounded = Number(value.toPrecision(6));
  return Math.abs(rounded) >= 1e6 || (rounded !== 0 && Math.abs(rounded) < 1e-3) ? rounded.toExponential().replace('e+', 'e') : rounded.toLocaleString('en-US', { maximumFractionDigits: 6 });
};

const pixels = (value: number): string => value.toFixed(1);

/** The plot as the text of an SVG file. Points that are not finite (or not positive on a logarithmic axis) are left out. */
export function linePlot(plot: Plot): string {
  const { width = 720, height = 420, series } = plot;
  const legendHeight = Math.ceil(series.length / 2) * LEGEND_ROW;
  const area = { x: MARGIN.left, y: MARGIN.top, width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom - legendHeight };
  const on = (side: 'left' | 'right'): readonly Series[] => series.filter(({ axis = 'left' }) => axis === side);
  const values = (list: readonly Series[]): number[] => list.flatMap(({ points, spread }) => points.flatMap(([, y], index) => [y, y + (spread?.[index] ?? 0)]));
  const x = scaleOf(plot.x, series.flatMap(({ points }) => points.map(([value]) => value)));
  const scales = { left: scaleOf(plot.left, values(on('left'))), right: scaleOf(plot.right ?? plot.left, values(on('right'))) };
  const toX = (value: number): number => area.x + x.at(value) * area.width;
  const toY = (scale: Scale, value: number): number => area.y + area.height - scale.at(value) * area.height;
  const bottom = area.y + area.height;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${width / 2}" y="20" text-anchor="middle" font-size="14">${escapeXml(plot.title)}</text>`,
  ];
  for (const tick of scales.left.ticks) {
    const y = pixels(toY(scales.left, tick));
    parts.push(`<line x1="${area.x}" x2="${area.x + area.width}" y1="${y}" y2="${y}" stroke="#ddd"/><text x="${area.x - 6}" y="${y}" dy="4" text-anchor="end">${tickText(tick)}</text>`);
  }
  for (const tick of x.ticks) {
    const at = pixels(toX(tick));
    parts.push(`<line x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 5}" stroke="#000"/><text x="${at}" y="${bottom + 18}" text-anchor="middle">${tickText(tick)}</text>`);
  }
  parts.push(`<rect x="${area.x}" y="${area.y}" width="${area.width}" height="${area.height}" fill="none" stroke="#000"/>`);
  parts.push(`<text x="${area.x + area.width / 2}" y="${bottom + 36}" text-anchor="middle">${escapeXml(plot.x.label)}</text>`);
  const middle = area.y + area.height / 2;
  parts.push(`<text transform="translate(16 ${middle}) rotate(-90)" text-anchor="middle">${escapeXml(plot.left.label)}</text>`);
  if (plot.right) {
    for (const tick of scales.right.ticks) parts.push(`<text x="${area.x + area.width + 6}" y="${pixels(toY(scales.right, tick))}" dy="4">${tickText(tick)}</text>`);
    parts.push(`<text transform="translate(${width - 10} ${middle}) rotate(-90)" text-anchor="middle">${escapeXml(plot.right.label)}</text>`);
  }
  series.forEach((one, index) => {
    const colour = COLOURS[index % COLOURS.length]!;
    const isRight = one.axis === 'right';
    const scale = isRight ? scales.right : scales.left;
    const drawable = (value: number, axis: Axis): boolean => Number.isFinite(value) && (!axis.log || value >= LEAST_LOG);
    const places = one.points.map(([px, py]) => (drawable(px, plot.x) && drawable(py, isRight ? (plot.right ?? plot.left) : plot.left) ? { x: pixels(toX(px)), y: pixels(toY(scale, py)), value: py } : undefined));
    const shown = places.filter((place) => place !== undefined);
    if (one.mark !== 'points') parts.push(`<polyline fill="none" stroke="${colour}" stroke-width="2"${isRight ? ' stroke-dasharray="6 3"' : ''} points="${shown.map((place) => `${place.x},${place.y}`).join(' ')}"/>`);
    if (one.mark === 'points' || shown.length <= 40) parts.push(...shown.map((place) => `<circle cx="${place.x}" cy="${place.y}" r="3" fill="${colour}"/>`));
    places.forEach((place, at) => {
      const spread = one.spread?.[at];
      if (!place || spread === undefined) return;
      parts.push(`<line x1="${place.x}" x2="${place.x}" y1="${pixels(toY(scale, place.value - spread))}" y2="${pixels(toY(scale, place.value + spread))}" stroke="${colour}"/>`);
    });
    const row = { x: area.x + (index % 2) * (area.width / 2), y: bottom + 52 + Math.floor(index / 2) * LEGEND_ROW };
    parts.push(`<rect x="${row.x}" y="${row.y - 9}" width="14" height="10" fill="${colour}"/><text x="${row.x + 20}" y="${row.y}">${escapeXml(one.name)}</text>`);
  });
  return `${parts.join('\n')}\n</svg>\n`;
}
