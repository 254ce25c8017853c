import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callTool, crashEverywhere, runTurn } from '@turnpike/testing';
import { support } from '../src/agents.ts';
import { shop } from '../src/shop.ts';

// What the model does: it is simulated, so that the test is about the tools.
const script = [callTool('refund_order', { order: 17 }), 'Your order is refunded.'];

test('an order is refunded when the model asks for it', async () => {
  shop.refunds.clear();
  const turn = await runTurn({ agent: support, input: 'Refund order 17.', script });
  assert.equal(turn.status, 'completed');
  assert.equal(turn.outputText, 'Your order is refunded.');
  assert.deepEqual(
    turn.toolCalls.map((call) => call.output),
    ['Order 17 is refunded.'],
  );
  assert.deepEqual([...shop.refunds.values()], [17]);
});

test('wherever a worker is killed, the order is refunded once', async () => {
  await crashEverywhere({
    agent: support,
    input: 'Refund order 17.',
    script,
    before: () => shop.refunds.clear(),
    check(turn, point) {
      assert.equal(turn.status, 'completed', point);
      assert.deepEqual([...shop.refunds.values()], [17], point);
    },
  });
});
