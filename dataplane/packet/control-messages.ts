/** What the kernel says beside a packet (cmsg(3) on 64-bit little-endian machines). */

/** The control messages that are whole: level, type, start and octets of the data. */
export function* controlMessages(view: DataView): Generator<readonly [level: number, type: number, at: number, length: number]> {
  for (let at = 0; at + 16 <= view.byteLength; ) {
    const length = Number(view.getBigUint64(at, true));
    if (length < 16 || at + length > view.byteLength) return;
    yield [view.getInt32(at + 8, true), view.getInt32(at + 12, true), at + 16, length - 16];
    at += (length + 7) & ~7;
  }
}
