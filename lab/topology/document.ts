/** A YAML document that can say in which line a field stands. */
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml';

export type FieldPath = readonly (string | number)[];

export interface Problem {
  /** 1-based line. */
  readonly line: number;
  /** Dotted path such as `topology.nodes.r1.image`; empty for the document itself. */
  readonly field: string;
  /** What is wrong and what was expected. */
  readonly message: string;
}

/** All problems of one file; the message has one `file:line: field: text` line for each. */
export class TopologyError extends Error {
  override readonly name = 'TopologyError';

  constructor(
    readonly file: string,
    readonly problems: readonly Problem[],
  ) {
    super(problems.map((p) => `${file}:${p.line}: ${p.field === '' ? '' : `${p.field}: `}${p.message}`).join('\n'));
  }
}

export function fieldText(path: FieldPath): string {
  return path.reduce<string>((text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`), '');
}

export class YamlDocument {
  private readonly lines = new LineCounter();
  private readonly document: Document;

  constructor(text: string) {
    this.document = parseDocument(text, { lineCounter: this.lines, merge: true, prettyErrors: false, uniqueKeys: true });
  }

  /** Faults of the YAML itself. */
  syntaxProblems(): Problem[] {
    const problems = this.document.errors.map((error) => ({ line: this.lines.linePos(error.pos[0]).line, field: '', message: error.message }));
    if (problems.length > 0) return problems;
    try {
      this.document.toJS();
      return [];
    } catch (error) {
      // Aliases without an anchor, or so many that they would fill the memory.
      return [{ line: 1, field: '', message: error instanceof Error ? error.message : String(error) }];
    }
  }

  /** The document as plain values. Throws where `syntaxProblems` has something to say. */
  value(): unknown {
    return this.document.toJS();
  }

  /** Line of the deepest part of `path` that is in the file; `key` asks for the line of the last key rather than of its value. */
  line(path: FieldPath, key = false): number {
    let node: unknown = this.document.contents;
    let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
    for (const [depth, part] of path.entries()) {
      if (isAlias(node)) node = node.resolve(this.document);
      let next: unknown;
      if (isMap(node)) {
        const pair = (node.items).find((item) => (isScalar(item.key) ? String(item.key.value) : String(item.key)) === String(part));
        if (!pair) break;
        const keyOffset = isNode(pair.key) ? pair.key.range?.[0] : undefined;
        if (keyOffset !== undefined) offset = keyOffset;
        next = pair.value;
        if (key && depth === path.length - 1) break;
        if (!isScalar(next)) {
          node = next;
          continue;
        }
      } else if (isSeq(node) && typeof part === 'number') {
        next = node.items[part];
      }
      if (!isNode(next)) break;
      offset = (next as Node).range?.[0] ?? offset;
      node = next;
    }
    return this.lines.linePos(offset).line;
  }
}
