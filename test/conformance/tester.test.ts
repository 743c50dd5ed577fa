import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allCases } from './cases/index.js';
import { readOptions, UsageError } from './options.js';
import { isMet, markdown, type Report, type Row, summary } from './report.js';
import { asPath, mpReach, mpUnreach, origin } from './wire/attributes.js';
import { address, Capability, capabilityParameter, join, keepalive, nlri, notification, open, toHex, u8, update } from './wire/build.js';
import { readOpen, readUpdate, takeMessages } from './wire/read.js';

const target = ['--target', '192.0.2.1:1790', '--as', '65000', '--source', '192.0.2.2', '--collector-address', '192.0.2.3'];
const bodyOf = (bytes: Uint8Array): Uint8Array => takeMessages(bytes).messages[0]!.body;

describe('The command line of the conformance tester', () => {
  it('names a target with port, AS numbers and addresses by kind', () => {
    const { mode, jobs } = readOptions([...target, '--peer', 'internal=192.0.2.4,192.0.2.5']);
    assert.ok(mode.kind === 'target');
    assert.deepEqual({ ...mode.target.sources }, { external: ['192.0.2.2'], collector: ['192.0.2.3'], internal: ['192.0.2.4', '192.0.2.5'] });
    assert.equal(mode.target.port, 1790);
    assert.equal(jobs, 1, 'one case at a time where cases would wait for addresses');
  });

  it('says what is wrong with a value', () => {
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /--daemon or --target/],
      [['--daemon', 'quagga'], /quagga/],
      [['--target', 'nowhere', '--as', '1', '--source', '::1'], /--target/],
      [[...target, '--peer', 'cousin=192.0.2.9'], /--peer/],
      [[...target, '--as', '0'], /--as/],
      [['--daemon', 'frr', '--only', '9999'], /9999/],
      [['--daemon', 'frr', '--jobs', '0'], /--jobs/],
    ];
    for (const [args, text] of wrong) assert.throws(() => readOptions(args), (error) => error instanceof UsageError && text.test(error.message), args.join(' '));
  });

  it('selects cases by RFC and by ID', () => {
    const { cases } = readOptions(['--list', '--only', '8212,4271-withdraw']);
    assert.deepEqual(cases.map(({ id }) => id).sort(), ['4271-withdraw', '8212-export', '8212-import']);
  });
});

describe('The cases', () => {
  it('are at least 250 and have IDs of their own', () => {
    assert.ok(allCases.length >= 250, `${allCases.length}`);
    const ids = allCases.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, `twice: ${ids.filter((id, index) => ids.indexOf(id) !== index).join(' ')}`);
  });
});

describe('What the tester writes and reads', () => {
  it('writes an OPEN as RFC 4271 section 4.2 and RFC 5492 section 4 lay it out', () => {
    const bytes = open({ as: 65001, holdTime: 90, identifier: '10.0.0.1', parameters: capabilityParameter(Capability.multiprotocol(2, 1), Capability.fourOctetAs(65001)) });
    assert.equal(toHex(bytes), `${'ff'.repeat(16)}002b01` + '04fde9005a0a000001' + '0e' + '020c' + '010400020001' + '41040000fde9');
    assert.deepEqual(readOpen(bodyOf(bytes)).capabilities.map(({ code }) => code), [1, 65]);
  });

  it('writes an IPv6 route as RFC 4760 section 3 lays it out', () => {
    const bytes = update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address('2001:db8::1'), nlri: nlri('2001:db8:1::/48') }), origin(), asPath([65001])) });
    assert.equal(toHex(bytes.subarray(19)), '0000' + '002c' + '800e1c' + '000201' + '10' + '20010db8000000000000000000000001' + '00' + '3020010db80001' + '40010100' + '400206' + '0201' + '0000fde9');
  });

  it('reads routes, withdrawals and path identifiers', () => {
    const message = update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address('::1'), nlri: nlri('2001:db8:1::/48', 7) }), origin(), asPath([65001]), mpUnreach(2, 1, nlri('2001:db8:2::/48', 8))) });
    const { announced, withdrawn, fault } = readUpdate(bodyOf(message), new Set(['2/1']));
    assert.equal(fault, undefined);
    assert.deepEqual(announced, [{ family: '2/1', prefix: '2001:db8:1::/48', pathId: 7 }]);
    assert.deepEqual(withdrawn, [{ family: '2/1', prefix: '2001:db8:2::/48', pathId: 8 }]);
  });

  it('tells End-of-RIB markers of both forms (RFC 4724 section 2)', () => {
    assert.equal(readUpdate(bodyOf(update({})), new Set()).endOfRib, '1/1');
    assert.equal(readUpdate(bodyOf(update({ attributes: mpUnreach(2, 1, u8()) })), new Set()).endOfRib, '2/1');
  });

  it('reads truncated messages as a fault or as less, never by an exception', () => {
    const bytes = bodyOf(update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address('::1'), nlri: nlri('2001:db8:1::/48') }), origin(), asPath([65001])), reachable: nlri('198.18.0.0/24') }));
    for (let length = 0; length < bytes.length; length++) assert.doesNotThrow(() => readUpdate(bytes.slice(0, length), new Set()), `${length} octets`);
    const body = bodyOf(open({ as: 1, holdTime: 0, identifier: '1.1.1.1', parameters: capabilityParameter(Capability.addPath(2, 1, 3)) }));
    for (let length = 0; length < body.length; length++) assert.notEqual(readOpen(body.slice(0, length)).fault, undefined, `${length} octets`);
  });

  it('finds messages wherever the stream is cut', () => {
    const stream = join(keepalive(), notification(6, 2), keepalive());
    for (let cut = 0; cut <= stream.length; cut++) {
      const first = takeMessages(stream.slice(0, cut));
      const second = takeMessages(join(first.rest, stream.slice(cut)));
      assert.deepEqual([...first.messages, ...second.messages].map(({ type }) => type), [4, 3, 4], `cut at ${cut}`);
    }
  });
});

describe('The report', () => {
  const row = (id: string, result: Row['result'], level: Row['level'] = 'MUST'): Row => ({ rfc: '4271', id, section: '1', level, title: 'a | b', expects: '', result, seen: 'x', ms: 1 });
  const report = (rows: readonly Row[], crashes: readonly string[] = []): Report => ({ target: 'T', rows, seconds: 1, crashes });

  it('is met when no MUST failed, something passed and the speaker kept running', () => {
    assert.equal(isMet(report([row('4271-a', 'pass'), row('4271-b', 'fail', 'SHOULD'), row('4271-c', 'inconclusive')])), true);
    assert.equal(isMet(report([row('4271-a', 'pass'), row('4271-b', 'fail')])), false);
    assert.equal(isMet(report([row('4271-c', 'not applicable')])), false);
    assert.equal(isMet(report([row('4271-a', 'pass')], ['panic'])), false);
  });

  it('counts, and keeps its table whole in Markdown', () => {
    assert.match(summary(report([row('4271-a', 'pass'), row('4271-b', 'fail')])), /2 cases, 1 pass, 1 fail/);
    const text = markdown([report([row('4271-a', 'fail')])], 'command');
    assert.match(text, /a \\\| b \| \*\*fail\*\*/);
  });
});
