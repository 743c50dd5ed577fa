import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compilePattern } from '../../../../daemon/bgp/policy/pattern.js';

function matches(pattern: string, text: string): boolean {
  const compiled = compilePattern(pattern);
  if (typeof compiled !== 'function') assert.fail(compiled.fault);
  return compiled(text);
}

describe('A pattern over AS paths', () => {
  const cases: readonly [pattern: string, text: string, expected: boolean][] = [
    ['^65001_', '65001 65002', true],
    ['^65001_', '65001', true],
    ['^65001_', '650010 65002', false],
    ['_65002$', '65001 65002', true],
    ['_65002$', '65001 165002', false],
    ['_65002_', '65001 {65002,65003}', true],
    ['_65002_', '(65002 7) 9', true],
    ['^$', '', true],
    ['^$', '65001', false],
    ['', 'anything', true],
    ['^65001 .*65003$', '65001 65002 65003', true],
    ['^(65001|65002)( 65003)*$', '65002 65003 65003', true],
    ['^6500[1-3]$', '65004', false],
    ['^6500[^1-3]$', '65004', true],
    ['^1{3}2?$', '1112', true],
    ['^1{2,3}$', '1111', false],
    ['^1{2,}$', '11111', true],
    ['a\\.b', 'axb', false],
    ['[]a]', ']', true],
    ['_', '', true],
  ];
  for (const [pattern, text, expected] of cases) {
    test(`${pattern || '(empty)'} ${expected ? 'is' : 'is not'} in "${text}"`, () => assert.equal(matches(pattern, text), expected));
  }

  const faults: readonly [pattern: string, fault: RegExp][] = [
    ['(65001', /expected \) at character 7/],
    ['65001)', /unexpected \) at character 6/],
    ['*1', /nothing to repeat before \* at character 1/],
    ['[1', /expected \]/],
    ['[3-1]', /range that goes up/],
    ['1{3,1}', /counts up to 255/],
    ['1{', /expected a count/],
    ['\\d', /unknown escape \\d/],
    ['\\', /nothing after/],
    ['é', /ASCII/],
    ['x'.repeat(256), /at most 255/],
    ['((1{99}){99}){99}', /too large/],
  ];
  for (const [pattern, fault] of faults) {
    test(`${pattern.slice(0, 20)} is refused with its reason`, () => {
      const compiled = compilePattern(pattern);
      assert.ok(typeof compiled !== 'function');
      assert.match(compiled.fault, fault);
    });
  }

  test('gives the answers of the JavaScript engine where both know the syntax', () => {
    const atom = fc.constantFrom('1', '2', ' ', '.', '[12]', '[^1]', '(1|2)', '(12)?', '1*', '2+', '(1 )*', '^', '$', '1{1,2}');
    fc.assert(
      fc.property(fc.array(atom, { maxLength: 6 }), fc.string({ unit: fc.constantFrom('1', '2', ' ', '3'), maxLength: 12 }), (atoms, text) => {
        const pattern = atoms.join('');
        assert.equal(matches(pattern, text), new RegExp(pattern).test(text), `${pattern} on "${text}"`);
      }),
      { numRuns: 2000 },
    );
  });

  test('never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('()[]{}|*+?^$_\\.,-019a')), maxLength: 30 }), fc.string(), (pattern, text) => {
        const compiled = compilePattern(pattern);
        if (typeof compiled === 'function') compiled(text);
      }),
      { numRuns: 3000 },
    );
  });

  test('takes time in proportion to the text, where an engine that backtracks does not end', () => {
    const text = '1 '.repeat(20_000);
    const started = performance.now();
    assert.equal(matches('^(1 ?)*(1 ?)*(1 ?)*2$', text), false);
    assert.ok(performance.now() - started < 5000);
  });
});
