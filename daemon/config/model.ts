/** The effective section `cpn.model`: its types, and how it comes from the fields of a file. */
import type { z } from 'zod';
import { CATS_PARAMETERS, checkCatsParameters, type CatsParameters } from '../computing/model/cats.js';
import { checkCoefficients, type Coefficients } from '../computing/model/chips.js';
import type { Finding } from './check.js';
import type { model } from './schema/model.js';
import type { Config } from './types.js';

export interface ModelConfig {
  /** Scaling coefficients of Eq. (1) by kind and class; they win over the tables (daemon/computing/model/chips.ts). */
  readonly coefficients: Coefficients;
  /** How CATS metrics of own instances are normalised; undefined: none are announced. */
  readonly cats: CatsParameters | undefined;
  /** Files of observed runs that are read at start. */
  readonly runs: readonly string[];
}

export function resolveModel({ alpha, cats, runs }: z.output<typeof model>): ModelConfig {
  const { computing, communication, service } = CATS_PARAMETERS;
  return {
    coefficients: Object.fromEntries(Object.entries(alpha).flatMap(([kind, values]) => (values ? [[kind, values] as const] : []))),
    cats: cats.enabled ? { computing: cats.computing ?? computing, communication: cats.communication ?? communication, service: cats.service ?? service, weights: cats.weights } : undefined,
    runs,
  };
}

export function checkModel({ cpn: { model: section } }: Config): Finding[] {
  const findings: Finding[] = [];
  const coefficients = checkCoefficients(section.coefficients);
  if (!coefficients.ok) findings.push({ path: ['cpn', 'model', 'alpha'], expected: 'coefficients above 0', found: coefficients.reason });
  const cats = section.cats && checkCatsParameters(section.cats);
  if (cats && !cats.ok) findings.push({ path: ['cpn', 'model', 'cats'], expected: 'values that rise, with scores from 0 to 10 that go one way', found: cats.reason });
  return findings;
}
