/** Router, area and Link State IDs: 32-bit numbers inside, dotted quads in configuration and views. */

/** The number of a dotted quad that was checked before; throws TypeError on other text. */
export function parseId(text: string): number {
  const parts = text.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) throw new TypeError(`not a dotted quad: ${text}`);
  return parts.reduce((id, part) => id * 256 + part, 0);
}

export const formatId = (id: number): string => `${id >>> 24}.${(id >>> 16) & 255}.${(id >>> 8) & 255}.${id & 255}`;
