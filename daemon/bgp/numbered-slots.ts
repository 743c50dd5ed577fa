/** A large array of values under small numbers, in pieces, so that growing and copying it takes no time to speak of. */
const PIECE_BITS = 12;
const PIECE_MASK = (1 << PIECE_BITS) - 1;

export class NumberedSlots<Value> {
  private pieces: ((Value | undefined)[] | undefined)[] = [];

  get(number: number): Value | undefined {
    return this.pieces[number >>> PIECE_BITS]?.[number & PIECE_MASK];
  }

  set(number: number, value: Value | undefined): void {
    const index = number >>> PIECE_BITS;
    let piece = this.pieces[index];
    if (!piece) {
      if (value === undefined) return;
      while (this.pieces.length < index) this.pieces.push(undefined);
      this.pieces[index] = piece = new Array<Value | undefined>(PIECE_MASK + 1).fill(undefined);
    }
    piece[number & PIECE_MASK] = value;
  }

  clone(): NumberedSlots<Value> {
    const copy = new NumberedSlots<Value>();
    copy.pieces = this.pieces.map((piece) => piece?.slice());
    return copy;
  }
}
