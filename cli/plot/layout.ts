/** Where the nodes of a graph stand: forces between them (Fruchterman and Reingold, 1991), from a fixed start, so that a graph always looks the same. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

const ROUNDS = 400;
/** Share of the ideal distance that a node moves at most in the first round. */
const FIRST_STEP = 0.5;
const LEAST_DISTANCE = 1e-3;

/**
 * Places in the square from 0 to 1, by index. Edges attract, all nodes repel each other; `centre` is held in the middle. The cost is of the square
 * of the number of nodes.
 */
export function layOut(count: number, edges: readonly (readonly [number, number])[], centre: number): Point[] {
  const points = Array.from({ length: count }, (_, i) => ({ x: Math.cos((2 * Math.PI * i) / count) / 2, y: Math.sin((2 * Math.PI * i) / count) / 2 }));
  if (points[centre]) Object.assign(points[centre], { x: 0, y: 0 });
  const ideal = 1 / Math.sqrt(Math.max(1, count));
  for (let round = 0; round < ROUNDS; round++) {
    const moves = points.map(() => ({ x: 0, y: 0 }));
    const push = (a: number, b: number, force: (distance: number) => number): void => {
      const [dx, dy] = [points[a]!.x - points[b]!.x, points[a]!.y - points[b]!.y];
      const distance = Math.max(LEAST_DISTANCE, Math.hypot(dx, dy));
      const share = force(distance) / distance;
      moves[a]!.x += dx * share;
      moves[a]!.y += dy * share;
      moves[b]!.x -= dx * share;
      moves[b]!.y -= dy * share;
    };
    for (let a = 0; a < count; a++) for (let b = a + 1; b < count; b++) push(a, b, (distance) => ideal ** 2 / distance);
    for (const [a, b] of edges) if (a !== b) push(a, b, (distance) => -(distance ** 2) / ideal);
    const most = ideal * FIRST_STEP * (1 - round / ROUNDS);
    points.forEach((point, i) => {
      if (i === centre) return;
      const length = Math.hypot(moves[i]!.x, moves[i]!.y);
      if (length === 0) return;
      point.x += (moves[i]!.x / length) * Math.min(most, length);
      point.y += (moves[i]!.y / length) * Math.min(most, length);
    });
  }
  return scaled(points);
}

function scaled(points: readonly Point[]): Point[] {
  const side = (pick: (point: Point) => number): ((point: Point) => number) => {
    const values = points.map(pick);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return (point) => (high - low < LEAST_DISTANCE ? 0.5 : (pick(point) - low) / (high - low));
  };
  const [x, y] = [side((point) => point.x), side((point) => point.y)];
  return points.map((point) => ({ x: x(point), y: y(point) }));
}
