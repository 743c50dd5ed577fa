import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { electedState, type InterfaceEvent, interfaceTransition } from '../../../daemon/ospf/interface-fsm.js';
import { type NeighborAction, type NeighborEvent, neighborTransition } from '../../../daemon/ospf/neighbor-fsm.js';
import type { InterfaceState, NeighborState } from '../../../daemon/ospf/types.js';

const neighborStates: readonly NeighborState[] = ['Down', 'Init', '2-Way', 'ExStart', 'Exchange', 'Loading', 'Full'];
const from = (...states: NeighborState[]): readonly NeighborState[] => states;
const atLeast = (least: NeighborState): readonly NeighborState[] => neighborStates.slice(neighborStates.indexOf(least));

/** RFC 2328 section 10.3: in which states an event does something, and what. */
const table: readonly {
  readonly event: NeighborEvent;
  readonly states: readonly NeighborState[];
  readonly adjacent?: boolean;
  readonly requestsEmpty?: boolean;
  readonly to: NeighborState | 'same';
  readonly actions: readonly NeighborAction[];
}[] = [
  { event: 'HelloReceived', states: from('Down'), to: 'Init', actions: ['restartInactivityTimer'] },
  { event: 'HelloReceived', states: atLeast('Init'), to: 'same', actions: ['restartInactivityTimer'] },
  { event: '2-WayReceived', states: from('Init'), adjacent: false, to: '2-Way', actions: [] },
  { event: '2-WayReceived', states: from('Init'), adjacent: true, to: 'ExStart', actions: ['startExchange'] },
  { event: 'NegotiationDone', states: from('ExStart'), to: 'Exchange', actions: ['listDatabase'] },
  { event: 'ExchangeDone', states: from('Exchange'), requestsEmpty: true, to: 'Full', actions: [] },
  { event: 'ExchangeDone', states: from('Exchange'), requestsEmpty: false, to: 'Loading', actions: ['sendRequests'] },
  { event: 'LoadingDone', states: from('Loading'), to: 'Full', actions: [] },
  { event: 'AdjOK?', states: from('2-Way'), adjacent: true, to: 'ExStart', actions: ['startExchange'] },
  { event: 'AdjOK?', states: atLeast('ExStart'), adjacent: false, to: '2-Way', actions: ['clearLists'] },
  { event: 'SeqNumberMismatch', states: atLeast('Exchange'), to: 'ExStart', actions: ['clearLists', 'startExchange'] },
  { event: 'BadLSReq', states: atLeast('Exchange'), to: 'ExStart', actions: ['clearLists', 'startExchange'] },
  { event: '1-WayReceived', states: atLeast('2-Way'), to: 'Init', actions: ['clearLists'] },
  { event: 'KillNbr', states: atLeast('Init'), to: 'Down', actions: ['clearLists', 'stopInactivityTimer'] },
  { event: 'LLDown', states: atLeast('Init'), to: 'Down', actions: ['clearLists', 'stopInactivityTimer'] },
  { event: 'InactivityTimer', states: atLeast('Init'), to: 'Down', actions: ['clearLists', 'stopInactivityTimer'] },
];

const events: readonly NeighborEvent[] = [...new Set(table.map(({ event }) => event))];

describe('Neighbor state machine (RFC 2328 section 10.3)', () => {
  for (const event of events) {
    test(`${event} does what the table says in every state, and nothing elsewhere`, () => {
      for (const state of neighborStates) {
        for (const adjacent of [false, true]) {
          for (const requestsEmpty of [false, true]) {
            const row = table.find(
              (entry) =>
                entry.event === event &&
                entry.states.includes(state) &&
                (entry.adjacent === undefined || entry.adjacent === adjacent) &&
                (entry.requestsEmpty === undefined || entry.requestsEmpty === requestsEmpty),
            );
            const expected = row && { state: row.to === 'same' ? state : row.to, actions: row.actions };
            assert.deepEqual(neighborTransition(state, event, { adjacent, requestsEmpty }), expected, `${state}, adjacent ${adjacent}, requests empty ${requestsEmpty}`);
          }
        }
      }
    });
  }
});

describe('Interface state machine (RFC 2328 section 9.3)', () => {
  const go = (state: InterfaceState, event: InterfaceEvent, network: 'broadcast' | 'point-to-point' = 'broadcast', priority = 1): ReturnType<typeof interfaceTransition> =>
    interfaceTransition(state, event, { network, priority });
  const states: readonly InterfaceState[] = ['Down', 'Loopback', 'Waiting', 'Point-to-point', 'DROther', 'Backup', 'DR'];

  test('InterfaceUp leads to Point-to-point, to DROther for a router that may not be elected, and to Waiting otherwise', () => {
    assert.deepEqual(go('Down', 'InterfaceUp', 'point-to-point'), { state: 'Point-to-point', actions: ['startHellos'] });
    assert.deepEqual(go('Down', 'InterfaceUp', 'broadcast', 0), { state: 'DROther', actions: ['startHellos'] });
    assert.deepEqual(go('Down', 'InterfaceUp'), { state: 'Waiting', actions: ['startHellos', 'startWaitTimer'] });
    for (const state of states) if (state !== 'Down') assert.deepEqual(go(state, 'InterfaceUp'), { state, actions: [] });
  });

  test('BackupSeen and WaitTimer end Waiting by an election, NeighborChange asks for one afterwards only', () => {
    for (const state of states) {
      const isElected = state === 'DROther' || state === 'Backup' || state === 'DR';
      for (const event of ['BackupSeen', 'WaitTimer'] as const) assert.deepEqual(go(state, event), { state, actions: state === 'Waiting' ? ['elect'] : [] });
      assert.deepEqual(go(state, 'NeighborChange'), { state, actions: isElected ? ['elect'] : [] });
    }
  });

  test('InterfaceDown and LoopInd reset the interface from any state, UnloopInd leads to Down', () => {
    for (const state of states) {
      assert.deepEqual(go(state, 'InterfaceDown'), { state: 'Down', actions: state === 'Down' ? [] : ['reset'] });
      assert.deepEqual(go(state, 'LoopInd'), { state: 'Loopback', actions: state === 'Loopback' ? [] : ['reset'] });
      assert.deepEqual(go(state, 'UnloopInd'), { state: state === 'Loopback' ? 'Down' : state, actions: [] });
    }
  });

  test('the state after an election is the office held', () => {
    assert.equal(electedState(1, { designated: 1, backup: 2 }), 'DR');
    assert.equal(electedState(2, { designated: 1, backup: 2 }), 'Backup');
    assert.equal(electedState(3, { designated: 1, backup: 2 }), 'DROther');
  });
});
