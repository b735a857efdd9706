// connect.mjs - the official client, pointed at a base that the environment names, and refpay's own books.
//   STRIPE_HOST, STRIPE_PORT   where (default localhost, 8443)
//   STRIPE_PROTOCOL            https (default) or http, for refpay itself
//   STRIPE_CA                  a file with the CA to trust; the system's own when it is not set
//   STRIPE_KEY_FILE            a file that holds the API key: never in the environment, never printed
//   REFPAY, REFPAY_CONTROL     the program and its control socket, to arm faults and to read what was charged
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import Stripe from 'stripe';

const protocol = process.env.STRIPE_PROTOCOL ?? 'https';
const authority = process.env.STRIPE_CA ? readFileSync(process.env.STRIPE_CA) : undefined;

export const host = process.env.STRIPE_HOST ?? 'localhost';
export const port = Number(process.env.STRIPE_PORT ?? 8443);

export function readKey(path = process.env.STRIPE_KEY_FILE) {
  return readFileSync(path, 'utf8').trim();
}

// A client with an agent of its own, so that one check's connections are not another's.
export function connect(options = {}) {
  const { key = readKey(), ...more } = options;
  const httpAgent =
    protocol === 'http' ? new http.Agent({ keepAlive: false }) : new https.Agent({ keepAlive: false, ca: authority });
  return new Stripe(key, { host, port, protocol, httpAgent, telemetry: false, maxNetworkRetries: 0, ...more });
}

// What an intent is made of, with a mark by which it is found in the books.
export function wish(mark, more = {}) {
  return { amount: 1050, currency: 'eur', confirm: true, payment_method: 'pm_card_visa', description: mark, ...more };
}

function refpay(...words) {
  return execFileSync(process.env.REFPAY, [...words, '--control', process.env.REFPAY_CONTROL], { encoding: 'utf8' });
}

// The next call at refpay meets this fault.
export function arm(kind, ...words) {
  refpay('fault', kind, ...words);
}

// The payments that refpay's books hold under a mark and that took money.
export function charged(mark) {
  const { payments } = JSON.parse(refpay('payments', '--json'));
  return payments.filter((payment) => payment.reference === mark && payment.captured > 0);
}

export const canArm = Boolean(process.env.REFPAY && process.env.REFPAY_CONTROL);
