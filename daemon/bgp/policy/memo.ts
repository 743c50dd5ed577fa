/** Results that depend on attributes only, remembered for as long as the attributes live. */
import type { PathAttributes } from '../wire/types.js';

/** Applies a function to attributes once for all routes that share them, so that the results are shared too. */
export function memo<Result>(apply: (attributes: PathAttributes) => Result): (attributes: PathAttributes) => Result {
  const results = new WeakMap<PathAttributes, { readonly result: Result }>();
  return (attributes) => {
    let entry = results.get(attributes);
    if (!entry) results.set(attributes, (entry = { result: apply(attributes) }));
    return entry.result;
  };
}
