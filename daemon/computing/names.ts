/** Names of the codes of a CPN block, as configuration, CLI and JSON spell them. A code without a name is shown as its number. */

const names = <const T extends Record<number, string>>(table: T): T => table;

export const COMPUTING_CLASS_NAMES = names({ 1: 'logical', 2: 'parallel', 3: 'neural' });
export const CHIP_NAMES = names({ 0: 'mixed', 1: 'cpu', 2: 'gpu', 3: 'dpu', 4: 'npu', 5: 'tpu', 6: 'fpga' });
export const STORAGE_ABILITY_NAMES = names({ 1: 'block', 2: 'file', 3: 'object' });
export const STORAGE_QUALITY_NAMES = names({ 0: 'unknown', 1: 'hdd', 2: 'ssd', 3: 'nvme', 4: 'memory' });
export const GRADE_NAMES = names({ 1: 'super', 2: 'large', 3: 'medium', 4: 'small' });
export const CATS_TYPE_NAMES = names({ 1: 'computing', 2: 'communication', 3: 'service', 4: 'composed', 5: 'normalised' });
export const CATS_SOURCE_NAMES = names({ 1: 'nominal', 2: 'estimated', 3: 'measured', 4: 'normalised', 5: 'aggregated' });
export const CATS_STATISTIC_NAMES = names({ 1: 'current', 2: 'mean', 3: 'minimum', 4: 'maximum' });
export const CATS_UNIT_NAMES = names({ 0: 'none', 1: 'us', 2: 'percent', 3: 'operations/s', 4: 'bit/s', 5: 'octets' });

/** The name of a code, or its number as text. */
export function nameOf(table: Readonly<Record<number, string>>, code: number): string {
  return table[code] ?? String(code);
}
