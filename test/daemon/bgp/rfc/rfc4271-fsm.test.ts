/** The finite state machine of RFC 4271 section 8.2.2: every event in every state, and the optional session attributes of section 8.1. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { handleEvent, initialState, openHoldMs, type FsmAction, type FsmContext, type FsmEvent, type FsmResult, type FsmState, type StateName } from '../../../../daemon/bgp/fsm.js';

const context: FsmContext = {
  passive: false,
  connectRetryMs: 10_000,
  delayOpenMs: 0,
  idleHold: { initialMs: 1000, maximumMs: 60_000 },
  notificationWithoutOpen: false,
  random: () => 0,
};
const passive: FsmContext = { ...context, passive: true };
const delaying: FsmContext = { ...context, delayOpenMs: 5000 };

const none = new Uint8Array(0);
const badPeerAs: FsmEvent = { type: 'MessageError', notification: { code: 2, subcode: 2, data: none } };
const cease: FsmEvent = { type: 'NotificationReceived', notification: { code: 6, subcode: 4, data: none } };
const versionError: FsmEvent = { type: 'NotificationReceived', notification: { code: 2, subcode: 1, data: none } };
const expired = (timer: 'connectRetry' | 'hold' | 'keepalive' | 'delayOpen' | 'idleHold'): FsmEvent => ({ type: 'TimerExpired', timer });
const open: FsmEvent = { type: 'OpenReceived', holdMs: 90_000 };

const events: Readonly<Record<string, FsmEvent>> = {
  ManualStart: { type: 'ManualStart' },
  AutomaticStart: { type: 'AutomaticStart' },
  ManualStop: { type: 'ManualStop', notification: { code: 6, subcode: 2, data: none } },
  AutomaticStop: { type: 'AutomaticStop', notification: { code: 6, subcode: 3, data: none } },
  'ConnectRetryTimer expires': expired('connectRetry'),
  'HoldTimer expires': expired('hold'),
  'KeepaliveTimer expires': expired('keepalive'),
  'DelayOpenTimer expires': expired('delayOpen'),
  'IdleHoldTimer expires': expired('idleHold'),
  TcpConnected: { type: 'TcpConnected' },
  TcpAccepted: { type: 'TcpAccepted' },
  TcpFailed: { type: 'TcpFailed' },
  OPEN: open,
  'message error': badPeerAs,
  'collision dump': { type: 'CollisionDump' },
  NOTIFICATION: cease,
  'NOTIFICATION of a version error': versionError,
  KEEPALIVE: { type: 'KeepaliveReceived' },
  UPDATE: { type: 'UpdateReceived' },
  'ROUTE-REFRESH': { type: 'RouteRefreshReceived' },
};

function stateOf(name: StateName): FsmState {
  const base = { ...initialState(context), stopped: false };
  if (name === 'OpenConfirm' || name === 'Established') return { ...base, name, holdMs: 90_000, keepaliveMs: 30_000 };
  return { ...base, name };
}

/** One word an action, for tables. */
function words(actions: readonly FsmAction[]): string[] {
  return actions.flatMap((action) => {
    switch (action.type) {
      case 'sendNotification':
        return [`notify ${action.notification.code}/${action.notification.subcode}`];
      case 'startTimer':
        return [`${action.timer} ${action.ms}`];
      case 'stopTimer':
        return [];
      default:
        return [action.type];
    }
  });
}

const run = (name: StateName, event: FsmEvent, using = context): FsmResult => handleEvent(stateOf(name), event, using);

/** Rows: event, next state, what is done. Every event of every state is listed. */
const table: Readonly<Record<StateName, Readonly<Record<string, readonly [StateName, ...string[]]>>>> = {
  Idle: {
    ManualStart: ['Connect', 'connectRetry 7500', 'connect'],
    AutomaticStart: ['Connect', 'connectRetry 7500', 'connect'],
    ManualStop: ['Idle'],
    AutomaticStop: ['Idle'],
    'ConnectRetryTimer expires': ['Idle'],
    'HoldTimer expires': ['Idle'],
    'KeepaliveTimer expires': ['Idle'],
    'DelayOpenTimer expires': ['Idle'],
    'IdleHoldTimer expires': ['Connect', 'connectRetry 7500', 'connect'],
    TcpConnected: ['Idle'],
    TcpAccepted: ['OpenSent', 'sendOpen', `hold ${openHoldMs}`],
    TcpFailed: ['Idle'],
    OPEN: ['Idle'],
    'message error': ['Idle'],
    'collision dump': ['Idle'],
    NOTIFICATION: ['Idle'],
    'NOTIFICATION of a version error': ['Idle'],
    KEEPALIVE: ['Idle'],
    UPDATE: ['Idle'],
    'ROUTE-REFRESH': ['Idle'],
  },
  Connect: {
    ManualStart: ['Connect'],
    AutomaticStart: ['Connect'],
    ManualStop: ['Idle', 'close'],
    AutomaticStop: ['Idle', 'close', 'idleHold 750'],
    'ConnectRetryTimer expires': ['Connect', 'close', 'connectRetry 7500', 'connect'],
    'HoldTimer expires': ['Idle', 'close', 'idleHold 750'],
    'KeepaliveTimer expires': ['Idle', 'close', 'idleHold 750'],
    'DelayOpenTimer expires': ['Idle', 'close', 'idleHold 750'],
    'IdleHoldTimer expires': ['Idle', 'close', 'idleHold 750'],
    TcpConnected: ['OpenSent', 'sendOpen', `hold ${openHoldMs}`],
    TcpAccepted: ['OpenSent', 'sendOpen', `hold ${openHoldMs}`],
    TcpFailed: ['Active', 'close', 'connectRetry 7500'],
    OPEN: ['Idle', 'close', 'idleHold 750'],
    'message error': ['Idle', 'close', 'idleHold 750'],
    'collision dump': ['Idle', 'close', 'idleHold 750'],
    NOTIFICATION: ['Idle', 'close', 'idleHold 750'],
    'NOTIFICATION of a version error': ['Idle', 'close', 'idleHold 750'],
    KEEPALIVE: ['Idle', 'close', 'idleHold 750'],
    UPDATE: ['Idle', 'close', 'idleHold 750'],
    'ROUTE-REFRESH': ['Idle', 'close', 'idleHold 750'],
  },
  Active: {
    ManualStart: ['Active'],
    AutomaticStart: ['Active'],
    ManualStop: ['Idle', 'close'],
    AutomaticStop: ['Idle', 'close', 'idleHold 750'],
    'ConnectRetryTimer expires': ['Connect', 'close', 'connectRetry 7500', 'connect'],
    'HoldTimer expires': ['Idle', 'close', 'idleHold 750'],
    'KeepaliveTimer expires': ['Idle', 'close', 'idleHold 750'],
    'DelayOpenTimer expires': ['Idle', 'close', 'idleHold 750'],
    'IdleHoldTimer expires': ['Idle', 'close', 'idleHold 750'],
    TcpConnected: ['OpenSent', 'sendOpen', `hold ${openHoldMs}`],
    TcpAccepted: ['OpenSent', 'sendOpen', `hold ${openHoldMs}`],
    TcpFailed: ['Active', 'close', 'connectRetry 7500'],
    OPEN: ['Idle', 'close', 'idleHold 750'],
    'message error': ['Idle', 'close', 'idleHold 750'],
    'collision dump': ['Idle', 'close', 'idleHold 750'],
    NOTIFICATION: ['Idle', 'close', 'idleHold 750'],
    'NOTIFICATION of a version error': ['Idle', 'close', 'idleHold 750'],
    KEEPALIVE: ['Idle', 'close', 'idleHold 750'],
    UPDATE: ['Idle', 'close', 'idleHold 750'],
    'ROUTE-REFRESH': ['Idle', 'close', 'idleHold 750'],
  },
  OpenSent: {
    ManualStart: ['OpenSent'],
    AutomaticStart: ['OpenSent'],
    ManualStop: ['Idle', 'notify 6/2', 'close'],
    AutomaticStop: ['Idle', 'notify 6/3', 'close', 'idleHold 750'],
    'ConnectRetryTimer expires': ['Idle', 'notify 5/1', 'close', 'idleHold 750'],
    'HoldTimer expires': ['Idle', 'notify 4/0', 'close', 'idleHold 750'],
    'KeepaliveTimer expires': ['OpenSent'],
    'DelayOpenTimer expires': ['Idle', 'notify 5/1', 'close', 'idleHold 750'],
    'IdleHoldTimer expires': ['Idle', 'notify 5/1', 'close', 'idleHold 750'],
    TcpConnected: ['OpenSent'],
    TcpAccepted: ['OpenSent'],
    TcpFailed: ['Active', 'close', 'connectRetry 7500'],
    OPEN: ['OpenConfirm', 'sendKeepalive', 'hold 90000', 'keepalive 22500'],
    'message error': ['Idle', 'notify 2/2', 'close', 'idleHold 750'],
    'collision dump': ['Idle', 'notify 6/7', 'close', 'idleHold 750'],
    NOTIFICATION: ['Idle', 'close', 'idleHold 750'],
    'NOTIFICATION of a version error': ['Idle', 'close', 'idleHold 750'],
    KEEPALIVE: ['Idle', 'notify 5/1', 'close', 'idleHold 750'],
    UPDATE: ['Idle', 'notify 5/1', 'close', 'idleHold 750'],
    'ROUTE-REFRESH': ['Idle', 'notify 5/1', 'close', 'idleHold 750'],
  },
  OpenConfirm: {
    ManualStart: ['OpenConfirm'],
    AutomaticStart: ['OpenConfirm'],
    ManualStop: ['Idle', 'notify 6/2', 'close'],
    AutomaticStop: ['Idle', 'notify 6/3', 'close', 'idleHold 750'],
    'ConnectRetryTimer expires': ['Idle', 'notify 5/2', 'close', 'idleHold 750'],
    'HoldTimer expires': ['Idle', 'notify 4/0', 'close', 'idleHold 750'],
    'KeepaliveTimer expires': ['OpenConfirm', 'sendKeepalive', 'keepalive 22500'],
    'DelayOpenTimer expires': ['Idle', 'notify 5/2', 'close', 'idleHold 750'],
    'IdleHoldTimer expires': ['Idle', 'notify 5/2', 'close', 'idleHold 750'],
    TcpConnected: ['OpenConfirm'],
    TcpAccepted: ['OpenConfirm'],
    TcpFailed: ['Idle', 'close', 'idleHold 750'],
    OPEN: ['Idle', 'notify 5/2', 'close', 'idleHold 750'],
    'message error': ['Idle', 'notify 2/2', 'close', 'idleHold 750'],
    'collision dump': ['Idle', 'notify 6/7', 'close', 'idleHold 750'],
    NOTIFICATION: ['Idle', 'close', 'idleHold 750'],
    'NOTIFICATION of a version error': ['Idle', 'close', 'idleHold 750'],
    KEEPALIVE: ['Established', 'hold 90000', 'sessionUp'],
    UPDATE: ['Idle', 'notify 5/2', 'close', 'idleHold 750'],
    'ROUTE-REFRESH': ['Idle', 'notify 5/2', 'close', 'idleHold 750'],
  },
  Established: {
    ManualStart: ['Established'],
    AutomaticStart: ['Established'],
    ManualStop: ['Idle', 'notify 6/2', 'close', 'sessionDown'],
    AutomaticStop: ['Idle', 'notify 6/3', 'close', 'sessionDown', 'idleHold 750'],
    'ConnectRetryTimer expires': ['Idle', 'notify 5/3', 'close', 'sessionDown', 'idleHold 750'],
    'HoldTimer expires': ['Idle', 'notify 4/0', 'close', 'sessionDown', 'idleHold 750'],
    'KeepaliveTimer expires': ['Established', 'sendKeepalive', 'keepalive 22500'],
    'DelayOpenTimer expires': ['Idle', 'notify 5/3', 'close', 'sessionDown', 'idleHold 750'],
    'IdleHoldTimer expires': ['Idle', 'notify 5/3', 'close', 'sessionDown', 'idleHold 750'],
    TcpConnected: ['Established'],
    TcpAccepted: ['Established'],
    TcpFailed: ['Idle', 'close', 'sessionDown', 'idleHold 750'],
    OPEN: ['Idle', 'notify 5/3', 'close', 'sessionDown', 'idleHold 750'],
    'message error': ['Idle', 'notify 2/2', 'close', 'sessionDown', 'idleHold 750'],
    'collision dump': ['Idle', 'notify 6/7', 'close', 'sessionDown', 'idleHold 750'],
    NOTIFICATION: ['Idle', 'close', 'sessionDown', 'idleHold 750'],
    'NOTIFICATION of a version error': ['Idle', 'close', 'sessionDown', 'idleHold 750'],
    KEEPALIVE: ['Established', 'hold 90000'],
    UPDATE: ['Established', 'hold 90000', 'deliver'],
    'ROUTE-REFRESH': ['Established', 'deliver'],
  },
};

for (const [name, rows] of Object.entries(table) as [StateName, (typeof table)[StateName]][]) {
  describe(`In ${name}`, () => {
    for (const [label, event] of Object.entries(events)) {
      const [next, ...actions] = rows[label]!;
      test(`4271 section 8.2.2: in ${name}, ${label} leads to ${next} and does ${actions.join(', ') || 'nothing'}`, () => {
        const result = run(name, event);
        assert.equal(result.state.name, next);
        assert.deepEqual(words(result.actions), actions);
      });
    }
  });
}

describe('Starting', () => {
  test('4271 section 8.1.1: a passive speaker waits in Active and never connects', () => {
    const started = handleEvent(initialState(passive), { type: 'ManualStart' }, passive);
    assert.equal(started.state.name, 'Active');
    assert.deepEqual(words(started.actions), ['connectRetry 7500']);
    assert.deepEqual(words(handleEvent(started.state, expired('connectRetry'), passive).actions), ['connectRetry 7500']);
  });

  test('4271 section 8.1.2: what the operator has stopped starts only by the operator', () => {
    const stopped = run('Established', events['ManualStop']!).state;
    for (const event of [events['AutomaticStart']!, expired('idleHold'), expired('connectRetry')]) {
      assert.deepEqual(handleEvent(stopped, event, context), { state: stopped, actions: [] });
    }
    assert.deepEqual(words(handleEvent(stopped, { type: 'TcpAccepted' }, context).actions), ['close']);
    assert.equal(handleEvent(stopped, { type: 'ManualStart' }, context).state.name, 'Connect');
  });
});

describe('Damping', () => {
  const fail = (state: FsmState): FsmState => handleEvent({ ...state, name: 'OpenSent' }, badPeerAs, context).state;

  test('4271 section 8.1.1: every failure doubles the wait in Idle up to the maximum', () => {
    let state = stateOf('Idle');
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      const result = handleEvent({ ...state, name: 'OpenSent' }, badPeerAs, { ...context, random: () => 1 });
      const wait = result.actions.find((action) => action.type === 'startTimer');
      waits.push(wait?.type === 'startTimer' ? wait.ms : 0);
      state = result.state;
    }
    assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
    assert.equal(state.connectRetryCounter, 8);
  });

  test('4271 section 8.1.1: a peer that keeps failing is refused while it waits, one that failed once is not', () => {
    const once = fail(stateOf('Idle'));
    assert.equal(handleEvent(once, { type: 'TcpAccepted' }, context).state.name, 'OpenSent');
    const often = [1, 2, 3, 4].reduce(fail, stateOf('Idle'));
    assert.deepEqual(handleEvent(often, { type: 'TcpAccepted' }, context), { state: often, actions: [{ type: 'close' }] });
  });

  test('4271 section 8.1.1: a session that has been up for a keepalive time forgets earlier failures', () => {
    const failing = { ...stateOf('Established'), idleHoldMs: 32_000, connectRetryCounter: 5 };
    const { state } = handleEvent(failing, expired('keepalive'), context);
    assert.equal(state.idleHoldMs, 1000);
    assert.equal(state.connectRetryCounter, 0);
  });

  test('4271 section 8.2.2: a version error of the peer does not count as a failure', () => {
    assert.equal(run('OpenSent', versionError).state.idleHoldMs, 1000);
    assert.equal(run('OpenSent', cease).state.idleHoldMs, 2000);
  });
});

describe('Hold time', () => {
  test('4271 section 4.2: 0 means neither keepalives nor a hold timer', () => {
    const confirmed = run('OpenSent', { type: 'OpenReceived', holdMs: 0 });
    assert.deepEqual(words(confirmed.actions), ['sendKeepalive']);
    assert.deepEqual(
      confirmed.actions.filter((action) => action.type === 'stopTimer').map((action) => action.timer),
      ['connectRetry', 'hold'],
    );
    const up = handleEvent(confirmed.state, { type: 'KeepaliveReceived' }, context);
    assert.deepEqual(words(up.actions), ['sessionUp']);
    assert.deepEqual(words(handleEvent(up.state, { type: 'UpdateReceived' }, context).actions), ['deliver']);
  });

  test('4271 section 4.4: keepalives go out at a third of it, but not more than once a second', () => {
    assert.equal(run('OpenSent', { type: 'OpenReceived', holdMs: 30_000 }).state.keepaliveMs, 10_000);
    assert.equal(run('OpenSent', { type: 'OpenReceived', holdMs: 2_000 }).state.keepaliveMs, 1000);
  });

  test('4271 section 10: the keepalive timer is shortened by up to a quarter', () => {
    for (const [random, ms] of [[0, 22_500], [0.5, 26_250], [1, 30_000]] as const) {
      const { actions } = handleEvent(stateOf('Established'), expired('keepalive'), { ...context, random: () => random });
      assert.deepEqual(words(actions), ['sendKeepalive', `keepalive ${ms}`]);
    }
  });
});

describe('DelayOpen', () => {
  for (const name of ['Connect', 'Active'] as const) {
    test(`4271 section 8.1.1: holds OPEN back in ${name} until the timer expires`, () => {
      const connected = run(name, { type: 'TcpConnected' }, delaying);
      assert.equal(connected.state.name, name);
      assert.deepEqual(words(connected.actions), ['delayOpen 5000']);
      const sent = handleEvent(connected.state, expired('delayOpen'), delaying);
      assert.equal(sent.state.name, 'OpenSent');
      assert.deepEqual(words(sent.actions), ['sendOpen', `hold ${openHoldMs}`]);
    });

    test(`4271 section 8.1.1: in ${name} ends when the peer sends OPEN first`, () => {
      const connected = run(name, { type: 'TcpAccepted' }, delaying).state;
      const confirmed = handleEvent(connected, open, delaying);
      assert.equal(confirmed.state.name, 'OpenConfirm');
      assert.deepEqual(words(confirmed.actions), ['sendOpen', 'sendKeepalive', 'hold 90000', 'keepalive 22500']);
    });
  }
});

describe('SendNOTIFICATIONwithoutOPEN', () => {
  const outspoken: FsmContext = { ...delaying, notificationWithoutOpen: true };
  for (const [what, event, words3] of [
    ['a fault in the message of the peer', badPeerAs, 'notify 2/2'],
    ['the operator', events['ManualStop']!, 'notify 6/2'],
    ['another end of the session', events['AutomaticStop']!, 'notify 6/3'],
  ] as const) {
    test(`4271 section 8.1.1: while OPEN is held back, ${what} ends the connection with ${words3} where that is allowed, and without it elsewhere`, () => {
      const held = run('Connect', { type: 'TcpConnected' }, outspoken).state;
      assert.equal(words(handleEvent(held, event, outspoken).actions)[0], words3);
      assert.equal(words(handleEvent(held, event, delaying).actions)[0], 'close');
    });
  }

  test('4486 section 4: a connection that is refused in Idle is told so', () => {
    const stopped = run('Established', events['ManualStop']!).state;
    assert.deepEqual(words(handleEvent(stopped, { type: 'TcpAccepted' }, outspoken).actions), ['notify 6/5', 'close']);
    const damped = { ...stateOf('Idle'), idleHoldMs: 60_000 };
    assert.deepEqual(words(handleEvent(damped, { type: 'TcpAccepted' }, outspoken).actions), ['close'], 'but not while it is damped');
  });
});

test('6608 section 3: the data of a Finite State Machine Error is the type of the message', () => {
  const datum = (name: StateName, event: FsmEvent): number[] => {
    const sent = run(name, event).actions.find((action) => action.type === 'sendNotification');
    return sent?.type === 'sendNotification' ? [sent.notification.code, sent.notification.subcode, ...sent.notification.data] : [];
  };
  assert.deepEqual(datum('OpenSent', { type: 'KeepaliveReceived' }), [5, 1, 4]);
  assert.deepEqual(datum('OpenSent', { type: 'UpdateReceived' }), [5, 1, 2]);
  assert.deepEqual(datum('OpenConfirm', { type: 'RouteRefreshReceived' }), [5, 2, 5]);
  assert.deepEqual(datum('OpenConfirm', open), [5, 2, 1]);
  assert.deepEqual(datum('Established', open), [5, 3, 1]);
});

for (const random of [0, 0.25, 0.5, 0.999]) {
  test(`4271 section 10: ConnectRetry and IdleHold are shortened by up to a quarter, here with ${random} of it kept`, () => {
    const using = { ...context, random: () => random };
    const factor = 0.75 + 0.25 * random;
    assert.deepEqual(words(handleEvent(stateOf('Idle'), { type: 'ManualStart' }, using).actions), [`connectRetry ${10_000 * factor}`, 'connect']);
    assert.deepEqual(words(handleEvent(stateOf('OpenSent'), cease, using).actions), ['close', `idleHold ${1000 * factor}`]);
  });
}

test('4271 section 8.2: any sequence of events keeps the machine consistent', () => {
  const anyEvent = fc.constantFrom(...Object.values(events));
  const anyContext = fc.constantFrom(context, passive, delaying);
  fc.assert(
    fc.property(anyContext, fc.array(anyEvent, { maxLength: 60 }), (using, sequence) => {
      let state = initialState(using);
      let up = false;
      for (const event of sequence) {
        const result = handleEvent(state, event, using);
        for (const action of result.actions) {
          if (action.type === 'sessionUp') {
            assert.equal(up, false);
            up = true;
          } else if (action.type === 'sessionDown') {
            assert.equal(up, true);
            up = false;
          } else if (action.type === 'deliver') assert.equal(up, true);
          else if (action.type === 'connect') assert.equal(using.passive, false);
        }
        state = result.state;
        assert.equal(state.name === 'Established', up);
        assert.ok(state.idleHoldMs <= using.idleHold.maximumMs);
      }
    }),
  );
});
