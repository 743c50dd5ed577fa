/**
 * Regular expressions as routers have them, matched in time proportional to the text: a neighbour chooses the text (an AS_PATH may hold
 * thousands of numbers), so that an engine which backtracks would let it hold up the daemon. Thompson's construction; no groups are kept.
 *
 * Known: characters, `.`, `[a-c]`, `[^a]`, `( )`, `|`, `*`, `+`, `?`, `{m,n}`, `^`, `$`, `\` before a character, and `_`, which stands for
 * the beginning, the end, or one of the delimiters space, comma, braces, brackets and parentheses.
 */

/** One node of the automaton; indices point into the same list. */
type Node =
  | { readonly kind: 'set'; readonly set: Uint8Array; readonly next: number }
  | { readonly kind: 'split'; targets: readonly number[] }
  | { readonly kind: 'start' | 'end'; readonly next: number }
  | { readonly kind: 'match' };

type Ast =
  | { readonly kind: 'set'; readonly set: Uint8Array }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'alternatives'; readonly items: readonly Ast[] }
  | { readonly kind: 'repeat'; readonly item: Ast; readonly minimum: number; readonly maximum: number };

/** A pattern that is none; the message says where and why. */
class PatternError extends Error {}

const longestPattern = 255;
const mostNodes = 4000;
const mostRepeats = 255;
const delimiters = ' ,{}()[]';

const setOf = (characters: string): Uint8Array => {
  const set = new Uint8Array(128);
  for (const character of characters) set[character.charCodeAt(0)] = 1;
  return set;
};
const everything = (): Uint8Array => new Uint8Array(128).fill(1);

const delimiter: Ast = { kind: 'alternatives', items: [{ kind: 'start' }, { kind: 'end' }, { kind: 'set', set: setOf(delimiters) }] };

class Parser {
  private at = 0;

  constructor(private readonly text: string) {}

  parse(): Ast {
    const ast = this.alternatives();
    if (this.at < this.text.length) this.fail(`unexpected ${this.text[this.at]!}`);
    return ast;
  }

  private fail(reason: string): never {
    throw new PatternError(`${reason} at character ${this.at + 1}`);
  }

  private take(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private alternatives(): Ast {
    const items = [this.sequence()];
    while (this.take('|')) items.push(this.sequence());
    return items.length === 1 ? items[0]! : { kind: 'alternatives', items };
  }

  private sequence(): Ast {
    const items: Ast[] = [];
    while (this.at < this.text.length && this.text[this.at] !== '|' && this.text[this.at] !== ')') items.push(this.repeated());
    return { kind: 'sequence', items };
  }

  private repeated(): Ast {
    let item = this.atom();
    for (;;) {
      if (this.take('*')) item = { kind: 'repeat', item, minimum: 0, maximum: Infinity };
      else if (this.take('+')) item = { kind: 'repeat', item, minimum: 1, maximum: Infinity };
      else if (this.take('?')) item = { kind: 'repeat', item, minimum: 0, maximum: 1 };
      else if (this.take('{')) item = this.counted(item);
      else return item;
    }
  }

  private counted(item: Ast): Ast {
    const match = /^(\d{1,3})(,(\d{1,3})?)?\}/.exec(this.text.slice(this.at));
    if (!match) this.fail('expected a count such as {2} or {1,3}');
    const minimum = Number(match[1]);
    const maximum = match[2] === undefined ? minimum : match[3] === undefined ? Infinity : Number(match[3]);
    if (maximum < minimum || minimum > mostRepeats || (maximum > mostRepeats && maximum !== Infinity)) this.fail(`expected counts up to ${mostRepeats}, the lower first`);
    this.at += match[0].length;
    return { kind: 'repeat', item, minimum, maximum };
  }

  private atom(): Ast {
    const character = this.text[this.at++]!;
    switch (character) {
      case '^':
        return { kind: 'start' };
      case '$':
        return { kind: 'end' };
      case '_':
        return delimiter;
      case '.':
        return { kind: 'set', set: everything() };
      case '[':
        return { kind: 'set', set: this.characterClass() };
      case '(': {
        const inner = this.alternatives();
        if (!this.take(')')) this.fail('expected )');
        return inner;
      }
      case '*':
      case '+':
      case '?':
      case '{':
        this.at--;
        return this.fail(`nothing to repeat before ${character}`);
      case '\\':
        return { kind: 'set', set: setOf(this.escaped()) };
      default:
        return { kind: 'set', set: setOf(this.ascii(character)) };
    }
  }

  private ascii(character: string): string {
    if (character.charCodeAt(0) > 127) this.fail(`expected ASCII, found ${character}`);
    return character;
  }

  private escaped(): string {
    const character = this.text[this.at++];
    if (character === undefined) this.fail('nothing after \\');
    if (/[A-Za-z0-9]/.test(character)) this.fail(`unknown escape \\${character}`);
    return this.ascii(character);
  }

  private characterClass(): Uint8Array {
    const negated = this.take('^');
    const set = new Uint8Array(128);
    let first = true;
    for (;;) {
      const from = this.text[this.at++];
      if (from === undefined) this.fail('expected ]');
      if (from === ']' && !first) break;
      first = false;
      const low = (from === '\\' ? this.escaped() : this.ascii(from)).charCodeAt(0);
      let high = low;
      if (this.text[this.at] === '-' && this.text[this.at + 1] !== ']' && this.at + 1 < this.text.length) {
        this.at++;
        const to = this.text[this.at++]!;
        high = (to === '\\' ? this.escaped() : this.ascii(to)).charCodeAt(0);
        if (high < low) this.fail('expected a range that goes up');
      }
      set.fill(1, low, high + 1);
    }
    return negated ? set.map((bit) => 1 - bit) : set;
  }
}

class Automaton {
  readonly nodes: Node[] = [{ kind: 'match' }];
  readonly start: number;

  constructor(ast: Ast) {
    this.start = this.emit(ast, 0);
  }

  private push(node: Node): number {
    if (this.nodes.length >= mostNodes) throw new PatternError('the counts make the pattern too large');
    return this.nodes.push(node) - 1;
  }

  /** Built from the end: returns the node at which `ast`, followed by `next`, begins. */
  private emit(ast: Ast, next: number): number {
    switch (ast.kind) {
      case 'set':
        return this.push({ kind: 'set', set: ast.set, next });
      case 'start':
      case 'end':
        return this.push({ kind: ast.kind, next });
      case 'sequence':
        return ast.items.reduceRight((after, item) => this.emit(item, after), next);
      case 'alternatives':
        return this.push({ kind: 'split', targets: ast.items.map((item) => this.emit(item, next)) });
      case 'repeat':
        return this.emitRepeat(ast.item, ast.minimum, ast.maximum, next);
    }
  }

  private emitRepeat(item: Ast, minimum: number, maximum: number, next: number): number {
    let entry = next;
    if (maximum === Infinity) {
      const loop: Node = { kind: 'split', targets: [] };
      entry = this.push(loop);
      loop.targets = [this.emit(item, entry), next];
    } else {
      for (let count = minimum; count < maximum; count++) entry = this.push({ kind: 'split', targets: [this.emit(item, entry), next] });
    }
    for (let count = 0; count < minimum; count++) entry = this.emit(item, entry);
    return entry;
  }
}

/** Whether a text has a part that the pattern describes. */
export type TextPattern = (text: string) => boolean;

/** Compiles a pattern; a fault as text. Never throws. */
export function compilePattern(text: string): TextPattern | { readonly fault: string } {
  if (text.length > longestPattern) return { fault: `at most ${longestPattern} characters` };
  try {
    const { nodes, start } = new Automaton(new Parser(text).parse());
    return (input) => search(nodes, start, input);
  } catch (error) {
    if (error instanceof PatternError) return { fault: error.message };
    throw error;
  }
}

/** All states at once, one character at a time; the pattern may begin anywhere. */
function search(nodes: readonly Node[], start: number, text: string): boolean {
  const seen = new Int32Array(nodes.length).fill(-1);
  let states: number[] = [];
  for (let at = 0; ; at++) {
    const open = [...states, start];
    const consuming: (Node & { readonly kind: 'set' })[] = [];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (seen[index] === at) continue;
      seen[index] = at;
      const node = nodes[index]!;
      if (node.kind === 'match') return true;
      if (node.kind === 'set') consuming.push(node);
      else if (node.kind === 'split') open.push(...node.targets);
      else if (node.kind === 'start' ? at === 0 : at === text.length) open.push(node.next);
    }
    if (at === text.length) return false;
    const code = text.charCodeAt(at);
    states = code < 128 ? consuming.filter(({ set }) => set[code] === 1).map(({ next }) => next) : [];
  }
}
