/** Segment lists towards an exit: one, or several in order of preference. */
import { z } from 'zod';
import { globalIpv6, list } from './common.js';

const segments = list(globalIpv6, 'SIDs').max(2, { error: 'at most 2 transit SIDs: a segment list has at most 3 SIDs' });
const way = z.strictObject({ segments, return: list(globalIpv6, 'SIDs').max(3, { error: 'at most 3 SIDs' }).optional() }, { error: (issue) => (issue.code === 'unrecognized_keys' ? `segments and return only, not ${issue.keys.join(', ')}` : 'a mapping') });

export interface FileWay {
  readonly segments: readonly string[];
  readonly return?: readonly string[] | undefined;
}

const isList = (item: unknown): boolean => Array.isArray(item);
const isWay = (item: unknown): boolean => typeof item === 'object' && item !== null && ('segments' in item || 'return' in item);

/** The form is told by the items, so that a fault is named where it is and not as "none of the forms". */
export const ways = z
  .unknown()
  .transform((value, context): readonly FileWay[] => {
    const several = Array.isArray(value) && value.length > 0 && value.every((item) => isList(item) || isWay(item));
    const found: { path: PropertyKey[]; message: string }[] = [];
    const read = <T>(schema: z.ZodType<T>, input: unknown, path: PropertyKey[]): T | undefined => {
      const result = schema.safeParse(input);
      for (const issue of result.error?.issues ?? []) found.push({ path: [...path, ...issue.path], message: issue.message });
      return result.data;
    };
    const readWay = (item: unknown, index: number): FileWay | undefined => {
      if (isWay(item)) return read(way, item, [index]);
      const transit = read(segments, item, [index]);
      return transit && { segments: transit };
    };
    const transit = several ? undefined : read(segments, value, []);
    const result = several ? (value as unknown[]).map(readWay) : [transit && { segments: transit }];
    for (const { path, message } of found) context.addIssue({ code: 'custom', path, message });
    return result.filter((each) => each !== undefined);
  })
  .meta({ description: 'a list of SIDs, or a list of such lists in order of preference' });
