/** A demand model as a picture: predicted against observed times, and below the residuals with the interval. Each run is predicted by a model that had not seen it. */
import type { DemandModel } from '../../daemon/computing/model/demand.js';
import type { TaskRun } from '../../daemon/computing/model/run.js';
import { escapeXml, linePlot, type Series } from './line-plot.js';

const WIDTH = 720;
const FIT_HEIGHT = 440;
const RESIDUALS_HEIGHT = 360;
const NAMES = { queueing: 'queueing form', forest: 'random forest' } as const;

export function modelPlotSvg(title: string, runs: readonly TaskRun[], model: DemandModel): string {
  const { chosen, heldBack, errors, interval } = model;
  const other = chosen === 'queueing' ? 'forest' : 'queueing';
  const observed = runs.map(({ latencyUs }) => latencyUs / 1000);
  const cloud = (form: 'queueing' | 'forest'): Series => ({
    name: `${NAMES[form]}${form === chosen ? ' (chosen)' : ''}: MAE ${Number((errors[form].maeUs / 1000).toPrecision(3))} ms`,
    mark: 'points',
    points: observed.map((ms, i) => [ms, heldBack[form][i]! / 1000]),
  });
  const [least, most] = [Math.min(...observed), Math.max(...observed)];
  const flat = (name: string, factor: number): Series => ({ name, points: [[least, factor], [most, factor]] });
  const fit = linePlot({
    title: `${title}: ${runs.length} runs`,
    width: WIDTH,
    height: FIT_HEIGHT,
    x: { label: 'observed, ms', log: true },
    left: { label: 'predicted, ms', log: true },
    series: [cloud(chosen), cloud(other), { name: 'as observed', points: [[least, least], [most, most]] }],
  });
  const residuals = linePlot({
    title: `residuals of the ${NAMES[chosen]}`,
    width: WIDTH,
    height: RESIDUALS_HEIGHT,
    x: { label: 'observed, ms', log: true },
    left: { label: 'observed over predicted', log: true },
    series: [
      { name: 'runs', mark: 'points', points: observed.map((ms, i) => [ms, (ms * 1000) / heldBack[chosen][i]!]) },
      flat('as predicted', 1),
      flat(`interval of ${(interval.level * 100).toFixed(0)} % of runs: from`, interval.low),
      flat('to', interval.high),
    ],
  });
  const height = FIT_HEIGHT + RESIDUALS_HEIGHT;
  return [`<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">`, `<title>${escapeXml(title)}</title>`, fit, residuals.replace('<svg ', `<svg y="${FIT_HEIGHT}" `), '</svg>', ''].join('\n');
}
