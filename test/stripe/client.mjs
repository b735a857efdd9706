// client.mjs - a payment's life by the official Stripe client: the same against refpay itself and through the gate.
// Prints lines in the manner of TAP. Where to connect: see connect.mjs.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import Stripe from 'stripe';
import { connect, wish } from './connect.mjs';
import { check, runChecks } from './tap.mjs';

const stripe = connect();

check('create', async () => {
  const mark = randomUUID();
  const intent = await stripe.paymentIntents.create(wish(mark, { metadata: { order: 'A & B = 7' } }));
  assert.equal(intent.object, 'payment_intent');
  assert.equal(intent.status, 'succeeded');
  assert.equal(intent.amount_received, 1050);
  assert.equal(intent.currency, 'eur');
  assert.equal(intent.description, mark);
  assert.deepEqual(intent.metadata, { order: 'A & B = 7' });
  assert.equal(intent.lastResponse.statusCode, 200);
  assert.match(intent.lastResponse.requestId, /./);
});

check('retrieve', async () => {
  const made = await stripe.paymentIntents.create(wish(randomUUID()));
  const found = await stripe.paymentIntents.retrieve(made.id);
  assert.deepEqual({ ...found }, { ...made });
});

check('confirm later', async () => {
  const made = await stripe.paymentIntents.create({ amount: 700, currency: 'jpy' });
  assert.equal(made.status, 'requires_payment_method');
  const paid = await stripe.paymentIntents.confirm(made.id, { payment_method: 'pm_card_visa' });
  assert.equal(paid.status, 'succeeded');
});

check('capture', async () => {
  const held = await stripe.paymentIntents.create(wish(randomUUID(), { capture_method: 'manual' }));
  assert.equal(held.status, 'requires_capture');
  assert.equal(held.amount_capturable, 1050);
  const taken = await stripe.paymentIntents.capture(held.id, { amount_to_capture: 1000 });
  assert.equal(taken.status, 'succeeded');
  assert.equal(taken.amount_received, 1000);
});

check('capture without a body', async () => {
  const held = await stripe.paymentIntents.create(wish(randomUUID(), { capture_method: 'manual' }));
  const taken = await stripe.paymentIntents.capture(held.id);
  assert.equal(taken.amount_received, 1050);
});

check('cancel', async () => {
  const held = await stripe.paymentIntents.create(wish(randomUUID(), { capture_method: 'manual' }));
  const ended = await stripe.paymentIntents.cancel(held.id);
  assert.equal(ended.status, 'canceled');
});

check('refund', async () => {
  const paid = await stripe.paymentIntents.create(wish(randomUUID()));
  const part = await stripe.refunds.create({ payment_intent: paid.id, amount: 50 });
  assert.equal(part.object, 'refund');
  assert.equal(part.status, 'succeeded');
  assert.equal(part.amount, 50);
  assert.equal((await stripe.refunds.retrieve(part.id)).payment_intent, paid.id);
  const rest = await stripe.refunds.create({ payment_intent: paid.id });
  assert.equal(rest.amount, 1000);
});

check('list', async () => {
  const first = await stripe.paymentIntents.create(wish(randomUUID()));
  const second = await stripe.paymentIntents.create(wish(randomUUID()));
  const page = await stripe.paymentIntents.list({ limit: 2 });
  assert.equal(page.object, 'list');
  assert.equal(page.has_more, true);
  assert.deepEqual(new Set(page.data.map(({ id }) => id)), new Set([first.id, second.id]));
});

check('a declined card is a StripeCardError', async () => {
  const error = await stripe.paymentIntents.create(wish(randomUUID(), { amount: 1051 })).then(
    () => assert.fail('it was paid'),
    (caught) => caught,
  );
  assert.ok(error instanceof Stripe.errors.StripeCardError, error.constructor.name);
  assert.equal(error.code, 'card_declined');
  assert.equal(error.payment_intent.status, 'requires_payment_method');
});

check('an unknown intent is a StripeInvalidRequestError', async () => {
  await assert.rejects(stripe.paymentIntents.retrieve('pi_unknown'), (error) => {
    assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError, error.constructor.name);
    return error.statusCode === 404;
  });
});

check('a wrong key is a StripeAuthenticationError', async () => {
  const stranger = connect({ key: 'sk_test_stranger' });
  await assert.rejects(stranger.paymentIntents.create(wish(randomUUID())), (error) => {
    assert.ok(error instanceof Stripe.errors.StripeAuthenticationError, error.constructor.name);
    return error.statusCode === 401;
  });
});

check('nobody there is a StripeConnectionError', async () => {
  const lost = connect({ port: 9 }); // the discard service: nobody listens there
  await assert.rejects(lost.paymentIntents.create(wish(randomUUID())), (error) => {
    assert.ok(error instanceof Stripe.errors.StripeConnectionError, error.constructor.name);
    return true;
  });
});

await runChecks(process.argv.slice(2));
