/** Tokens of computing nodes: a file that maps node ids to tokens or to their SHA-256; only digests are kept in memory. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { parse } from 'yaml';

const LEAST_LENGTH = 16;

const digest = (token: string): Buffer => createHash('sha256').update(token).digest();

export class Tokens {
  private constructor(private readonly digests: ReadonlyMap<string, Buffer>) {}

  static readonly none = new Tokens(new Map());

  /** Reads the text of a token file; `file` is its name in messages. Throws Error that names the entry and never its token. */
  static parse(text: string, file: string): Tokens {
    let content: unknown;
    try {
      content = parse(text, { prettyErrors: false });
    } catch {
      // The parser's message may quote a token.
      throw new Error(`${file}: expected YAML`);
    }
    if (content === null || content === undefined) return Tokens.none;
    if (typeof content !== 'object' || Array.isArray(content)) throw new Error(`${file}: expected a mapping from node id to token`);
    const digests = new Map<string, Buffer>();
    for (const [node, token] of Object.entries(content)) {
      if (typeof token !== 'string') throw new Error(`${file}: ${node}: expected a token in quotes`);
      const hashed = /^sha256:([0-9a-f]{64})$/i.exec(token);
      if (!hashed && token.length < LEAST_LENGTH) throw new Error(`${file}: ${node}: expected a token of at least ${LEAST_LENGTH} characters, or sha256: and 64 hexadecimal digits`);
      digests.set(node, hashed ? Buffer.from(hashed[1]!, 'hex') : digest(token));
    }
    return new Tokens(digests);
  }

  has(node: string): boolean {
    return this.digests.has(node);
  }

  /** Whether `token` is the node's; takes the same time for every token of a node. */
  verify(node: string, token: string): boolean {
    const expected = this.digests.get(node);
    return expected !== undefined && timingSafeEqual(expected, digest(token));
  }
}
