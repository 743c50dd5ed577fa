/** RFC 4271 sections 6.1 and 6.2: errors in the message header and in OPEN. */
import { casesOf } from '../case.js';
import { fail, verify } from '../verdict.js';
import { type Bytes, capability, capabilityParameter, join, keepalive, message, MessageType, notification, repeat, routeRefresh, u16, u8, update } from '../wire/build.js';
import type { Tester } from '../tester.js';

/** Sends octets in an established session and expects a header error. */
const headerError =
  (octets: Bytes, subcode: number, data?: Bytes) =>
  async (tester: Tester): Promise<void> => {
    const peer = await tester.established('external');
    peer.send(octets);
    await tester.expectNotification(peer, 1, subcode, data ? { data } : {});
  };

/** Sends an OPEN with a fault and expects an OPEN error. */
const openError =
  (overrides: Parameters<import('../peer.js').Peer['sendOpen']>[0], subcode: number, data?: Bytes) =>
  async (tester: Tester): Promise<void> => {
    const peer = await tester.openSent('external');
    peer.sendOpen(overrides);
    await tester.expectNotification(peer, 2, subcode, data ? { data } : {});
  };

const badMarker = join(repeat(15, 0xff), u8(0xfe));
const badLength = 'the Error Subcode MUST be set to Bad Message Length; the Data field MUST contain the erroneous Length field';
const optionalParameters = (peer: { identity: { capabilities: readonly Bytes[] } }): Bytes => capabilityParameter(...peer.identity.capabilities);

export const rfc4271Messages = casesOf('4271', [
  ['MUST', 'header-marker', '6.1', 'a KEEPALIVE whose marker is not all ones', 'the Error Subcode MUST be set to Connection Not Synchronized', headerError(message(MessageType.keepalive, u8(), { marker: badMarker }), 1)],
  ['MUST', 'header-marker-open', '6.1', 'an OPEN whose marker is not all ones', 'the Error Subcode MUST be set to Connection Not Synchronized', async (tester) => {
    const peer = await tester.openSent('external');
    peer.send(message(MessageType.open, join(u8(4), u16(peer.identity.as), u16(90), u8(10, 9, 9, 9, 0)), { marker: repeat(16) }));
    await tester.expectNotification(peer, 1, 1);
  }],
  ['MUST', 'header-length-18', '6.1', 'a length of 18', badLength, headerError(message(MessageType.keepalive, u8(), { length: 18 }), 2, u16(18))],
  ['MUST', 'header-length-0', '6.1', 'a length of 0', badLength, headerError(message(MessageType.keepalive, u8(), { length: 0 }), 2, u16(0))],
  ['MUST', 'header-length-4097', '6.1', 'an UPDATE of 4,097 octets without Extended Message', badLength, async (tester) => {
    const peer = await tester.established('external');
    tester.require(peer.offered(6) === undefined, 'the target takes longer messages from whomever it offered them (RFC 8654 section 4)');
    peer.send(message(MessageType.update, repeat(4078)));
    await tester.expectNotification(peer, 1, 2, { data: u16(4097) });
  }],
  ['MUST', 'header-length-65535', '6.1', 'a length of 65,535 in a KEEPALIVE', badLength, headerError(message(MessageType.keepalive, u8(), { length: 65535 }), 2, u16(65535))],
  ['MUST', 'header-length-open', '6.1', 'an OPEN of 28 octets, one less than the minimum', badLength, async (tester) => {
    const peer = await tester.openSent('external');
    peer.send(message(MessageType.open, join(u8(4), u16(peer.identity.as), u16(90), repeat(4, 1))));
    await tester.expectNotification(peer, 1, 2, { data: u16(28) });
  }],
  ['MUST', 'header-length-update', '6.1', 'an UPDATE of 22 octets, one less than the minimum', badLength, headerError(message(MessageType.update, u8(0, 0, 0)), 2, u16(22))],
  ['MUST', 'header-length-keepalive', '6.1', 'a KEEPALIVE of 20 octets', badLength, headerError(message(MessageType.keepalive, u8(0)), 2, u16(20))],
  ['MUST', 'header-length-notification', '6.4', 'a NOTIFICATION of 20 octets, one less than the minimum', 'an error in a NOTIFICATION cannot be answered by one; the connection ends all the same', async (tester) => {
    const peer = await tester.established('external');
    peer.send(message(MessageType.notification, u8(6)));
    await peer.until(() => peer.isClosed, 4000);
    verify(peer.isClosed, 'the connection stays open');
  }],
  ['MUST', 'header-type-0', '6.1', 'a message of type 0', 'the Error Subcode MUST be set to Bad Message Type; the Data field MUST contain the erroneous Type field', headerError(message(0, u8()), 3, u8(0))],
  ['MUST', 'header-type-6', '6.1', 'a message of type 6, not assigned', 'the Error Subcode MUST be set to Bad Message Type; the Data field MUST contain the erroneous Type field', headerError(message(6, u8()), 3, u8(6))],
  ['MUST', 'header-type-255', '6.1', 'a message of type 255', 'the Error Subcode MUST be set to Bad Message Type; the Data field MUST contain the erroneous Type field', headerError(message(255, u8()), 3, u8(255))],

  ['MUST', 'open-fields', '4.2', "the target's OPEN", 'version 4, its own AS, a hold time of zero or at least three seconds, parameters whose lengths add up', async (tester) => {
    const { open } = await tester.openSent('external');
    const { as } = tester.target;
    if (!open) return fail('no OPEN');
    verify(open.fault === undefined, `OPEN: ${open.fault ?? ''}`);
    verify(open.version === 4, `version ${open.version}`);
    verify(open.as === (as > 0xffff ? 23456 : as), `My Autonomous System ${open.as}`);
    verify(open.holdTime === 0 || open.holdTime >= 3, `hold time ${open.holdTime}`);
    verify(open.identifier !== '0.0.0.0', 'BGP Identifier 0.0.0.0');
  }],
  ['MUST', 'open-version-3', '6.2', 'an OPEN of version 3', 'the Error Subcode MUST be set to Unsupported Version Number; the Data field is a 2-octet unsigned integer that indicates the largest locally supported version', openError({ version: 3 }, 1, u16(4))],
  ['MUST', 'open-version-5', '6.2', 'an OPEN of version 5', 'the Error Subcode MUST be set to Unsupported Version Number; the Data field is a 2-octet unsigned integer that indicates the largest locally supported version', openError({ version: 5 }, 1, u16(4))],
  ['MUST', 'open-as', '6.2', 'an OPEN with an AS that is not configured', 'if the Autonomous System field is unacceptable, the Error Subcode MUST be set to Bad Peer AS', async (tester) => {
    const peer = await tester.openSent('external', { capabilities: [capability(1, u8(0, 2, 0, 1)), capability(65, u8(0, 0, 0xfd, 0x05))] });
    peer.sendOpen({ as: 0xfd05 });
    await tester.expectNotification(peer, 2, 2);
  }],
  ['MUST', 'open-as-0', '6.2', 'an OPEN with AS 0', 'if the Autonomous System field is unacceptable, the Error Subcode MUST be set to Bad Peer AS', async (tester) => {
    const peer = await tester.openSent('external', { capabilities: [capability(1, u8(0, 2, 0, 1))] });
    peer.sendOpen({ as: 0 });
    await tester.expectNotification(peer, 2, 2);
  }],
  ['MUST', 'open-hold-1', '6.2', 'an OPEN with a hold time of 1', 'an implementation MUST reject Hold Time values of one or two seconds: Unacceptable Hold Time', openError({ holdTime: 1 }, 6)],
  ['MUST', 'open-hold-2', '6.2', 'an OPEN with a hold time of 2', 'an implementation MUST reject Hold Time values of one or two seconds: Unacceptable Hold Time', openError({ holdTime: 2 }, 6)],
  ['MUST', 'open-identifier-0', '6.2', 'an OPEN with BGP Identifier 0.0.0.0', 'if the BGP Identifier field is syntactically incorrect, the Error Subcode MUST be set to Bad BGP Identifier', openError({ identifier: '0.0.0.0' }, 3)],
  ['MUST', 'open-parameter-unknown', '6.2', 'an OPEN with an optional parameter of type 200', 'if one of the Optional Parameters is not recognized, the Error Subcode MUST be set to Unsupported Optional Parameters', async (tester) => {
    const peer = await tester.openSent('external');
    peer.sendOpen({ parameters: join(u8(200, 1, 0), optionalParameters(peer)) });
    await tester.expectNotification(peer, 2, 4);
  }],
  ['MUST', 'open-parameter-overrun', '6.2', 'an optional parameter that is longer than the list', 'a recognized but malformed Optional Parameter: the Error Subcode MUST be set to 0 (Unspecific)', async (tester) => {
    const peer = await tester.openSent('external');
    const parameters = optionalParameters(peer);
    peer.sendOpen({ parameters: join(u8(2, parameters.length + 20), parameters.subarray(2)) });
    await tester.expectNotification(peer, 2, 0);
  }],
  ['MUST', 'open-capability-overrun', '6.2', 'a capability that is longer than its parameter', 'a recognized but malformed Optional Parameter: the Error Subcode MUST be set to 0 (Unspecific)', async (tester) => {
    const peer = await tester.openSent('external');
    peer.sendOpen({ parameters: join(u8(2, 6), u8(1, 40, 0, 2, 0, 1)) });
    await tester.expectNotification(peer, 2, 0);
  }],
  ['MUST', 'open-parameters-length', '6.2', 'a length of all optional parameters beyond the message', 'an OPEN whose lengths do not add up is an error: OPEN Message Error or Bad Message Length', async (tester) => {
    const peer = await tester.openSent('external');
    const parameters = optionalParameters(peer);
    peer.sendOpen({ parameters, parametersLength: u8(parameters.length + 4) });
    await peer.until(() => peer.notification ?? peer.isClosed, 4000);
    const { code, subcode } = peer.notification ?? { code: 0, subcode: 0 };
    verify((code === 2 && subcode === 0) || (code === 1 && subcode === 2), `expected NOTIFICATION 2/0 or 1/2, got ${peer.notification?.text ?? 'none'}`);
  }],

  ['MUST', 'fsm-keepalive-in-opensent', '8.2.2', 'KEEPALIVE before OPEN', 'OpenSent: sends the NOTIFICATION with the Error Code Finite State Machine Error', async (tester) => {
    const peer = await tester.openSent('external');
    peer.send(keepalive());
    await tester.expectNotification(peer, 5, undefined);
  }],
  ['MUST', 'fsm-update-in-opensent', '8.2.2', 'UPDATE before OPEN', 'OpenSent: sends the NOTIFICATION with the Error Code Finite State Machine Error', async (tester) => {
    const peer = await tester.openSent('external');
    peer.send(update({}));
    await tester.expectNotification(peer, 5, undefined);
  }],
  ['MUST', 'fsm-update-in-openconfirm', '8.2.2', 'UPDATE before KEEPALIVE', 'OpenConfirm: sends the NOTIFICATION with a code of Finite State Machine Error', async (tester) => {
    const peer = await tester.openConfirm('external');
    peer.send(update({}));
    await tester.expectNotification(peer, 5, undefined);
  }],
  ['MUST', 'fsm-notification-in-opensent', '8.2.2', 'NOTIFICATION before OPEN', 'the connection is dropped', async (tester) => {
    const peer = await tester.openSent('external');
    peer.send(notification(6, 2));
    await peer.until(() => peer.isClosed, 4000);
    verify(peer.isClosed, 'the connection stays open');
  }],
  ['MUST', 'fsm-notification-version', '8.2.2', 'NOTIFICATION of a version error before OPEN', 'the connection is dropped', async (tester) => {
    const peer = await tester.openSent('external');
    peer.send(notification(2, 1, u16(4)));
    await peer.until(() => peer.isClosed, 4000);
    verify(peer.isClosed, 'the connection stays open');
  }],
  ['MUST', 'fsm-notification-in-openconfirm', '8.2.2', 'NOTIFICATION before KEEPALIVE', 'the connection is dropped; a NOTIFICATION is not answered by one', async (tester) => {
    const peer = await tester.openConfirm('external');
    peer.send(notification(6, 2));
    await peer.until(() => peer.isClosed, 4000);
    verify(peer.isClosed, 'the connection stays open');
    verify(!peer.notification, `answered by ${peer.notification?.text ?? ''}`);
  }],
  ['MUST', 'fsm-notification-in-established', '8.2.2', 'NOTIFICATION in an established session', 'the connection is dropped; a NOTIFICATION is not answered by one', async (tester) => {
    const peer = await tester.established('external');
    peer.send(notification(6, 2));
    await peer.until(() => peer.isClosed, 4000);
    verify(peer.isClosed, 'the connection stays open');
    verify(!peer.notification, `answered by ${peer.notification?.text ?? ''}`);
  }],
  ['MUST', 'fsm-notification-unknown', '6.4', 'NOTIFICATION with code 99', 'any error in a NOTIFICATION, such as an unrecognized Error Code, is noticed and logged locally; the connection is closed', async (tester) => {
    const peer = await tester.established('external');
    peer.send(notification(99, 99, repeat(40)));
    await peer.until(() => peer.isClosed, 4000);
    verify(peer.isClosed, 'the connection stays open');
  }],
  ['SHOULD', 'fsm-open-in-openconfirm', '6.8', 'a second OPEN on the same connection before KEEPALIVE', 'the connection ends with a Finite State Machine Error or Cease', async (tester) => {
    const peer = await tester.openConfirm('external');
    peer.sendOpen();
    await peer.until(() => peer.notification ?? peer.isClosed, 4000);
    verify(peer.notification?.code === 5 || peer.notification?.code === 6, `expected NOTIFICATION 5 or 6, got ${peer.notification?.text ?? 'none'}`);
  }],
  ['SHOULD', 'fsm-open-in-established', '8.2.2', 'an OPEN in an established session', 'the connection ends with a Finite State Machine Error or Cease', async (tester) => {
    const peer = await tester.established('external');
    peer.sendOpen();
    await peer.until(() => peer.notification ?? peer.isClosed, 4000);
    verify(peer.notification?.code === 5 || peer.notification?.code === 6, `expected NOTIFICATION 5 or 6, got ${peer.notification?.text ?? 'none'}`);
  }],
]);

export const rfc6608 = casesOf('6608', [
  ['MUST', 'opensent', '4', 'KEEPALIVE before OPEN', 'NOTIFICATION 5/1: Receive Unexpected Message in OpenSent State; the message type is in the Data field', async (tester) => {
    const peer = await tester.openSent('external');
    peer.send(keepalive());
    await tester.expectNotification(peer, 5, 1, { data: (data) => data.length === 0 || data[0] === 4 });
  }],
  ['MUST', 'opensent-update', '4', 'UPDATE before OPEN', 'NOTIFICATION 5/1: Receive Unexpected Message in OpenSent State', async (tester) => {
    const peer = await tester.openSent('external');
    peer.send(update({}));
    await tester.expectNotification(peer, 5, 1);
  }],
  ['MUST', 'openconfirm-update', '4', 'UPDATE before KEEPALIVE', 'NOTIFICATION 5/2: Receive Unexpected Message in OpenConfirm State', async (tester) => {
    const peer = await tester.openConfirm('external');
    peer.send(update({}));
    await tester.expectNotification(peer, 5, 2);
  }],
  ['MUST', 'openconfirm-refresh', '4', 'ROUTE-REFRESH before KEEPALIVE', 'NOTIFICATION 5/2: Receive Unexpected Message in OpenConfirm State', async (tester) => {
    const peer = await tester.openConfirm('external');
    peer.send(routeRefresh(2, 1));
    await tester.expectNotification(peer, 5, 2);
  }],
  ['SHOULD', 'established-open', '4', 'OPEN in an established session', 'NOTIFICATION 5/3: Receive Unexpected Message in Established State', async (tester) => {
    const peer = await tester.established('external');
    peer.sendOpen();
    await tester.expectNotification(peer, 5, 3);
  }],
]);
