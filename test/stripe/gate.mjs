// gate.mjs - what the gate adds to a payment, as the official Stripe client sees it: its exception classes,
// its own retries, connections that are cut in between. Names of checks as arguments run only those.
// Needs refpay's control socket (connect.mjs): faults are armed there, charges are counted in its books.
//   STRIPE_READER_KEY_FILE   a key that may only read (for the check 'forbidden')
//   STRIPE_OVER_LIMIT        an amount over the partner's limit (default 900000000)
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import Stripe from 'stripe';
import { arm, canArm, charged, connect, host, port, readKey, wish } from './connect.mjs';
import { openCutter } from './cutter.mjs';
import { check, runChecks } from './tap.mjs';

const { errors } = Stripe;
// A ClientHello and a Finished are below this, and a payment with PADDING is above it.
const HANDSHAKE_BYTES_MAX = 2200;
const PADDING = Object.fromEntries(Array.from({ length: 14 }, (_, index) => [`k${index}`, 'v'.repeat(100)]));

async function fails(call, kind, more = {}) {
  const error = await call.then(
    () => assert.fail('it succeeded'),
    (caught) => caught,
  );
  assert.equal(error.constructor.name, kind.name);
  for (const [name, value] of Object.entries(more)) {
    assert.equal(error[name], value, `${name} of the error`);
  }
  return error;
}

check('wrong_key', async () => {
  const real = readKey();
  const last = real.at(-1) === '2' ? '3' : '2';
  await fails(connect({ key: real.slice(0, -1) + last }).paymentIntents.create(wish(randomUUID())),
    errors.StripeAuthenticationError, { statusCode: 401 });
});

check('forbidden', async () => {
  const reader = connect({ key: readKey(process.env.STRIPE_READER_KEY_FILE) });
  const mark = randomUUID();
  await fails(reader.paymentIntents.create(wish(mark)), errors.StripePermissionError, { statusCode: 403 });
  assert.equal(charged(mark).length, 0);
});

check('over_limit', async () => {
  const amount = Number(process.env.STRIPE_OVER_LIMIT ?? 900000000);
  const mark = randomUUID();
  await fails(connect().paymentIntents.create(wish(mark, { amount })), errors.StripePermissionError, { statusCode: 403 });
  assert.equal(charged(mark).length, 0);
});

check('malformed', async () => {
  const error = await fails(connect().paymentIntents.create(wish(randomUUID(), { amount: '1e2' })),
    errors.StripeInvalidRequestError, { statusCode: 400 });
  assert.match(error.param, /amount/);
});

check('replay', async () => {
  const mark = randomUUID();
  const options = { idempotencyKey: randomUUID() };
  const first = await connect().paymentIntents.create(wish(mark), options);
  const again = await connect().paymentIntents.create(wish(mark), options);
  assert.equal(again.id, first.id);
  assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
  assert.equal(charged(mark).length, 1);
});

check('same_key_other_amount', async () => {
  const mark = randomUUID();
  const options = { idempotencyKey: randomUUID() };
  await connect().paymentIntents.create(wish(mark), options);
  await fails(connect().paymentIntents.create(wish(mark, { amount: 1060 }), options), errors.StripeIdempotencyError);
  assert.equal(charged(mark).length, 1);
});

check('twins', async () => {
  // The client retries a 409 by itself, so both callers end with the one payment.
  const mark = randomUUID();
  const options = { idempotencyKey: randomUUID() };
  arm('slow', '--delay-ms', '300', '--operation', 'payment_intent.create');
  const made = await Promise.all([1, 2].map(() =>
    connect({ maxNetworkRetries: 5 }).paymentIntents.create(wish(mark), options)));
  assert.equal(made[0].id, made[1].id);
  assert.equal(charged(mark).length, 1);
});

check('rate_limit', async () => {
  arm('status_429');
  await fails(connect().paymentIntents.create(wish(randomUUID())), errors.StripeRateLimitError, { statusCode: 429 });
});

check('upstream_500_is_final', async () => {
  // Stripe's own 500 is stored and replayed: the retries of the client act only once.
  const mark = randomUUID();
  arm('status_500_after_commit');
  await fails(connect({ maxNetworkRetries: 2 }).paymentIntents.create(wish(mark)), errors.StripeAPIError,
    { statusCode: 500 });
  assert.equal(charged(mark).length, 1);
});

check('upstream_503_is_never_sent_again', async () => {
  const mark = randomUUID();
  arm('status_503');
  await fails(connect({ maxNetworkRetries: 2 }).paymentIntents.create(wish(mark)), errors.StripeAPIError);
  assert.equal(charged(mark).length, 0);
});

for (const kind of ['reset_after_commit', 'garbage_status', 'cut_body', 'close_delimited', 'huge', 'early_hints']) {
  check(`${kind}_is_charged_once`, async () => {
    const mark = randomUUID();
    arm(kind);
    await fails(connect({ maxNetworkRetries: 2 }).paymentIntents.create(wish(mark)), errors.StripeAPIError);
    assert.equal(charged(mark).length, 1);
  });
}

check('connection_cut_before_the_answer', async () => {
  // The answers are lost between gate and caller; the client's own retry is answered from the record.
  const cutter = await openCutter({ host, port, cuts: 2, when: 'answer', afterBytes: HANDSHAKE_BYTES_MAX });
  const mark = randomUUID();
  const intent = await connect({ port: cutter.port, maxNetworkRetries: 6 }).paymentIntents.create(
    wish(mark, { metadata: PADDING }));
  await cutter.close();
  assert.equal(intent.status, 'succeeded');
  assert.ok(cutter.connections() >= 3, 'the client tried again');
  assert.equal(charged(mark).length, 1);
});

check('connection_cut_in_the_request', async () => {
  const cutter = await openCutter({ host, port, cuts: 2, when: 'request', afterBytes: HANDSHAKE_BYTES_MAX });
  const mark = randomUUID();
  const intent = await connect({ port: cutter.port, maxNetworkRetries: 4 }).paymentIntents.create(
    wish(mark, { metadata: PADDING }));
  await cutter.close();
  assert.equal(intent.status, 'succeeded');
  assert.ok(cutter.connections() >= 3, 'the client tried again');
  assert.equal(charged(mark).length, 1);
});

check('nobody_there', async () => {
  await fails(connect({ port: 9 }).paymentIntents.create(wish(randomUUID())), errors.StripeConnectionError);
});

if (!canArm) {
  console.log('Bail out! REFPAY and REFPAY_CONTROL are needed');
  process.exitCode = 2;
} else {
  await runChecks(process.argv.slice(2));
}
