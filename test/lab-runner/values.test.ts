import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { daemonsToStart, parseDaemonsFile } from '../../lab/runner/images/frr.js';
import { repositoryOf } from '../../lab/runner/images/image.js';
import { imageFor } from '../../lab/runner/images/index.js';
import { routerImage } from '../../lab/runner/images/router.js';
import { parseDelay, parseLoss, parseRate } from '../../lab/topology/units.js';
import { splitWords } from '../../lab/topology/words.js';
import { netemCommand } from '../../lab/wire/netem.js';

describe('impairments in words', () => {
  const cases: readonly (readonly [(text: string) => number | undefined, string, number | undefined])[] = [
    [parseDelay, '20ms', 20],
    [parseDelay, '500us', 0.5],
    [parseDelay, '1.5s', 1500],
    [parseDelay, ' 3 ms ', 3],
    [parseDelay, '0', 0],
    [parseDelay, '20', undefined],
    [parseDelay, '-1ms', undefined],
    [parseDelay, '61s', undefined],
    [parseDelay, 'ms', undefined],
    [parseLoss, '1%', 1],
    [parseLoss, '0.25%', 0.25],
    [parseLoss, '100%', 100],
    [parseLoss, '0', 0],
    [parseLoss, '1', undefined],
    [parseLoss, '100.1%', undefined],
    [parseRate, '100mbit', 1e8],
    [parseRate, '2.5Gbit', 2.5e9],
    [parseRate, '64kbit', 64_000],
    [parseRate, 'unlimited', 0],
    [parseRate, '0', 0],
    [parseRate, '100', undefined],
    [parseRate, '10bit', undefined],
    [parseRate, '100mbps', undefined],
  ];
  for (const [parse, text, expected] of cases) {
    test(`${parse.name} reads "${text}" as ${String(expected)}`, () => assert.equal(parse(text), expected));
  }
});

describe('splitting a command line', () => {
  const cases: readonly (readonly [string, string[] | undefined])[] = [
    ['ip -6 address add fd00::1/64 dev eth1', ['ip', '-6', 'address', 'add', 'fd00::1/64', 'dev', 'eth1']],
    [`sh -c 'echo "a b" > /x; exit 1'`, ['sh', '-c', 'echo "a b" > /x; exit 1']],
    ['echo "a \\"b\\" \\n" c\\ d', ['echo', 'a "b" \\n', 'c d']],
    [`a''b "" c`, ['ab', '', 'c']],
    ['  ', []],
    ['echo "open', undefined],
  ];
  for (const [line, words] of cases) test(line, () => assert.deepEqual(splitWords(line), words));

  test('words in single quotes come back as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.string().map((word) => word.replaceAll("'", ''))), (words) => {
        assert.deepEqual(splitWords(words.map((word) => `'${word}'`).join(' ')), words);
      }),
    );
  });
});

describe('image names', () => {
  test('tags, digests and registries with a port do not disturb the repository', () => {
    assert.equal(repositoryOf('registry.example/frrouting/frr:8.4.4'), 'registry.example/frrouting/frr');
    assert.equal(repositoryOf('host:5000/cpn/router'), 'host:5000/cpn/router');
    assert.equal(repositoryOf('host:5000/cpn/router:v1@sha256:00'), 'host:5000/cpn/router');
  });

  test('cpn/router is cpnd with and without registry and tag; hosts run nothing', () => {
    for (const image of ['cpn/router', 'cpn/router:latest', 'host:5000/cpn/router:v1']) assert.equal(imageFor(image), routerImage);
    for (const image of ['', 'debian:12', 'mycpn/router-tools', 'alpine:frr']) assert.equal(imageFor(image), undefined);
    for (const image of ['frrouting/frr:v8', 'my/bird:2', 'jauderho/gobgp', 'registry.example/exa-networks/exabgp/exabgp:4']) assert.notEqual(imageFor(image), undefined);
  });
});

describe('the daemons file of FRR', () => {
  const installed = new Set(['zebra', 'staticd', 'bgpd', 'bfdd', 'ospf6d']);

  test('names daemons in its order, behind zebra and staticd', () => {
    const settings = parseDaemonsFile('# a comment\nbgpd=yes\nospfd=no\nospf6d="yes"\nvtysh_enable=yes\nzebra_options="  -A 127.0.0.1 -s 90000000"\nbgpd_options="-d -M rpki"\n');
    assert.deepEqual(daemonsToStart(settings, installed), [
      { name: 'zebra', options: ['-A', '127.0.0.1', '-s', '90000000'] },
      { name: 'staticd', options: [] },
      { name: 'bgpd', options: ['-M', 'rpki'] },
      { name: 'ospf6d', options: [] },
    ]);
  });

  test('a daemon this FRR does not have is left out', () => {
    assert.deepEqual(daemonsToStart(parseDaemonsFile('pathd=yes\nzebra=yes\n'), installed).map((d) => d.name), ['zebra', 'staticd']);
  });
});

describe('netem', () => {
  test('is asked for delay, jitter, loss and rate, with room for what is under way', () => {
    assert.equal(
      netemCommand('w0b', { delayMs: 20, jitterMs: 0.5, lossPercent: 1, rateBps: 1e8 }, 1000).join(' '),
      'qdisc replace dev w0b root netem limit 21500 delay 20000us 500us loss 1% rate 100000000bit',
    );
    assert.equal(netemCommand('w0b', { delayMs: 0, jitterMs: 0, lossPercent: 0, rateBps: 64_000 }, 1000).join(' '), 'qdisc replace dev w0b root netem limit 1000 rate 64000bit');
  });
});
