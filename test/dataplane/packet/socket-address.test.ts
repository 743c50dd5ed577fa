import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SOCKADDR_IN6, socketAddress } from '../../../dataplane/packet/socket-address.js';

const hex = (name: Uint8Array): string => Buffer.from(name).toString('hex');

describe('socket addresses', () => {
  it('of IPv6 are a struct sockaddr_in6 with port and scope', () => {
    const name = socketAddress('fe80::1', 3784, 0x0102);
    assert.equal(name.length, SOCKADDR_IN6);
    assert.equal(hex(name), `0a000ec800000000fe80${'00'.repeat(13)}0102010000`);
  });

  it('of IPv4 are a struct sockaddr_in', () => assert.equal(hex(socketAddress('192.0.2.1', 179)), `020000b3c0000201${'00'.repeat(8)}`));

  it('are made of addresses alone', () => assert.throws(() => socketAddress('eth0', 1), /not an IP address: eth0/));
});
