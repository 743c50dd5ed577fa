/** A copy with memory of its own. Not `bytes.slice()`: of a Buffer, which is what sockets deliver, that is a view. */
export const copyOf = (bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array => new Uint8Array(bytes.subarray(start, end));
