/** How computing power is modelled, normalised and predicted. */
import { z } from 'zod';
import { flag, list, mapping, text } from './common.js';

const path = text('an absolute path', (value) => (/^\/[^\0]{0,4000}$/.test(value) ? value : undefined));
const anchor = z.tuple([z.number({ error: 'a value' }), z.number({ error: 'a score from 0 to 10' })], { error: 'a value and its score, such as [5e11, 4]' });
const anchors = list(anchor, 'values with their scores, such as [[1e9, 0], [1e13, 8]]').optional();
const weight = z.number({ error: 'a weight' }).default(1);
const alpha = z.number({ error: 'a coefficient' }).optional();
const byClass = mapping({ logical: alpha, parallel: alpha, neural: alpha }).optional();

export const model = mapping({
  alpha: mapping({ cpu: byClass, gpu: byClass, dpu: byClass, npu: byClass, tpu: byClass, fpga: byClass }).prefault({}),
  cats: mapping({
    enabled: flag.default(true),
    computing: anchors,
    communication: anchors,
    service: anchors,
    weights: mapping({ computing: weight, communication: weight, service: weight }).prefault({}),
  }).prefault({}),
  runs: list(path, 'absolute paths').default([]),
});
