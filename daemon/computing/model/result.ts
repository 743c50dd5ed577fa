/** What a model answers: a value, or why there is none. Bad input is an answer, not an exception. */

export type Modelled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

export const modelled = <T>(value: T): Modelled<T> => ({ ok: true, value });
export const refused = (reason: string): { readonly ok: false; readonly reason: string } => ({ ok: false, reason });

/** A number as people read it in a reason: no more digits than tell it from another. */
export const told = (value: number): string => String(Number(value.toPrecision(6)));
