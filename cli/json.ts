/** JSON of a value: 64-bit numbers (bigint) as decimal strings, absent fields as null, so that every field is always there. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_field, content: unknown) => (typeof content === 'bigint' ? content.toString() : (content ?? null)), indent);
}
