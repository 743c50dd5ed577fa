import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetlinkClient, type NetlinkRequest } from '../../../dataplane/netlink/client.js';
import { NLM_F_DUMP_INTR, NLM_F_MULTI, RTM_GETROUTE, RTM_NEWROUTE } from '../../../dataplane/netlink/constants.js';
import { NetlinkError } from '../../../dataplane/netlink/error.js';
import { splitMessages, type NetlinkMessage } from '../../../dataplane/netlink/message.js';
import { NetlinkMonitor } from '../../../dataplane/netlink/monitor.js';
import { FakeTransport, answer, datagram, endOfDump, overrun } from './fake-kernel.js';

const write = (number: number): NetlinkRequest => ({ type: RTM_NEWROUTE, encode: (writer) => writer.u32(number), describe: () => `request ${number}` });
const dump: NetlinkRequest = { type: RTM_GETROUTE, encode: (writer) => writer.u32(0), describe: () => 'dump' };
const item = (sequence: number, number: number, flags = 0): Uint8Array => datagram(RTM_NEWROUTE, NLM_F_MULTI | flags, sequence, 0, (writer) => writer.u32(number));
const numberOf = ({ payload }: NetlinkMessage): { value: number } => ({ value: payload[0]! });
const isError = (code: string, message: RegExp) => (error: unknown) => error instanceof NetlinkError && error.code === code && message.test(error.message);

test('requests go out in batches of at most 64, and each gets its own answer', async () => {
  const transport = new FakeTransport(({ sequence, payload }) => [answer(sequence, payload[0]! % 3 === 0 ? 113 : 0)]);
  const client = new NetlinkClient(transport);
  const outcomes = await Promise.allSettled(Array.from({ length: 200 }, (_, i) => client.request(write(i))));
  outcomes.forEach((outcome, i) => assert.equal(outcome.status, (i & 0xff) % 3 === 0 ? 'rejected' : 'fulfilled'));
  const [first] = outcomes;
  assert.ok(first?.status === 'rejected' && isError('EHOSTUNREACH', /^request 0: .*\(EHOSTUNREACH\)$/)(first.reason));
  assert.deepEqual(transport.sent.map((octets) => splitMessages(octets).messages.length), [64, 64, 64, 8]);
  client.close();
});

test('answers in another order, of nobody, and without a request are matched or passed over', async () => {
  const transport = new FakeTransport(() => []);
  const client = new NetlinkClient(transport);
  const first = client.request(write(1));
  const second = client.request(write(2));
  await new Promise((resolve) => setImmediate(resolve));
  const [one, two] = splitMessages(transport.sent[0]!).messages.map(({ sequence }) => sequence);
  transport.push(answer(9999, 1), Uint8Array.of(1, 2, 3), answer(two!, 17), answer(one!, 0));
  await first;
  await assert.rejects(second, isError('EEXIST', /^request 2: /));
  client.close();
});

test('a dump gives all values, and another waits for it', async () => {
  let running = 0;
  const transport = new FakeTransport(({ sequence }) => {
    assert.equal(running++, 0);
    setImmediate(() => {
      running--;
      transport.push(item(sequence, 1), item(sequence, 2), endOfDump(sequence));
    });
    return [];
  });
  const client = new NetlinkClient(transport);
  assert.deepEqual(await Promise.all([client.dump(dump, numberOf), client.dump(dump, (message) => (message.payload[0] === 2 ? undefined : numberOf(message)))]), [[1, 2], [1]]);
  client.close();
});

test('a dump that was interrupted, or lost messages, is repeated', async () => {
  let attempt = 0;
  const transport: FakeTransport = new FakeTransport(({ sequence }) => {
    attempt++;
    if (attempt === 1) return [item(sequence, 1), item(sequence, 2, NLM_F_DUMP_INTR), endOfDump(sequence)];
    if (attempt === 2) return [item(sequence, 3), endOfDump(sequence, NLM_F_DUMP_INTR)];
    if (attempt === 3) {
      setImmediate(() => transport.push(overrun()));
      return [item(sequence, 4)];
    }
    return [item(sequence, 5), endOfDump(sequence)];
  });
  const client = new NetlinkClient(transport);
  assert.deepEqual(await client.dump(dump, numberOf), [5]);
  assert.equal(attempt, 4);
  client.close();
});

test('a dump that is always interrupted ends with an error', async () => {
  const client = new NetlinkClient(new FakeTransport(({ sequence }) => [endOfDump(sequence, NLM_F_DUMP_INTR)]));
  await assert.rejects(client.dump(dump, numberOf), isError('EINTR', /the table changed/));
  client.close();
});

test('lost answers fail what is under way, and later requests work', async () => {
  let lose = true;
  const transport = new FakeTransport(({ sequence }) => (lose ? [] : [answer(sequence, 0)]));
  const client = new NetlinkClient(transport);
  const lost = client.request(write(1));
  setImmediate(() => setImmediate(() => transport.push(overrun())));
  await assert.rejects(lost, isError('ENOBUFS', /^request 1: /));
  lose = false;
  await client.request(write(2));
  transport.full = true;
  await assert.rejects(client.request(write(3)), isError('ENOBUFS', /no room/));
  client.close();
});

test('a request that cannot be encoded fails alone', async () => {
  const transport = new FakeTransport(({ sequence }) => [answer(sequence, 0)]);
  const client = new NetlinkClient(transport);
  const wrong: NetlinkRequest = {
    ...write(2),
    encode: (writer) => {
      writer.u32(2);
      throw new TypeError('not an IP address: x');
    },
  };
  const [first, second, third] = await Promise.allSettled([client.request(write(1)), client.request(wrong), client.request(write(3))]);
  assert.deepEqual([first.status, third.status], ['fulfilled', 'fulfilled']);
  assert.ok(second.status === 'rejected' && isError('EINVAL', /^request 2: not an IP address: x/)(second.reason));
  assert.deepEqual(splitMessages(transport.sent[0]!).messages.map(({ payload }) => payload.length), [4, 4]);
  client.close();
});

test('large requests go out in smaller batches', async () => {
  const transport = new FakeTransport(({ sequence }) => [answer(sequence, 0)]);
  const client = new NetlinkClient(transport);
  await Promise.all(Array.from({ length: 10 }, () => client.request({ type: RTM_NEWROUTE, encode: (writer) => writer.zeros(30_000), describe: () => 'large' })));
  assert.deepEqual(transport.sent.map((octets) => splitMessages(octets).messages.length), [3, 3, 3, 1]);
  client.close();
});

test('a closed client fails what waits, and everything after', async () => {
  const transport = new FakeTransport(() => []);
  const client = new NetlinkClient(transport);
  const sent = client.request(write(1));
  await new Promise((resolve) => setImmediate(resolve));
  const waiting = client.request(write(2));
  client.close();
  client.close();
  assert.ok(transport.closed);
  for (const failed of [sent, waiting, client.request(write(3))]) await assert.rejects(failed, isError('ECANCELED', /closed/));
});

test('a monitor passes messages on and tells of an overrun', async () => {
  const transport = new FakeTransport();
  const seen: (number | string)[] = [];
  await new Promise<void>((resolve) => {
    const monitor = new NetlinkMonitor(transport, {
      message: ({ payload }) => seen.push(payload[0]!),
      overrun: () => {
        seen.push('overrun');
        transport.push(item(0, 3));
        setImmediate(resolve);
      },
    });
    transport.push(item(0, 1), item(0, 2), overrun());
    assert.ok(monitor);
  });
  assert.deepEqual(seen, [1, 2, 'overrun', 3]);
});
