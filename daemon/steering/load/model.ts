/** Models of one quantity of an instance's load over time, seen at irregular times: when it was announced. Pure; times are ms of one clock. */
import { Autoregression } from './autoregression.js';
import { Holt } from './holt.js';

export const LOAD_MODELS = ['holt', 'learned', 'last'] as const;
export type LoadModelName = (typeof LOAD_MODELS)[number];

export interface LoadModel {
  /** Takes in what was announced; times grow. */
  observe(atMs: number, value: number): void;
  /** What is expected then; 0 before anything was announced. Not below 0. */
  at(atMs: number): number;
}

/** What was said last holds. */
class LastValue implements LoadModel {
  private value = 0;

  observe(_atMs: number, value: number): void {
    this.value = value;
  }

  at(): number {
    return this.value;
  }
}

export const loadModel = (name: LoadModelName): LoadModel => (name === 'holt' ? new Holt() : name === 'learned' ? new Autoregression() : new LastValue());
