// Loaded before a worker's own code: answers for names under `.test`, as a tenant's own name server might.
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';

const lookup = dns.lookup;
let asked = 0;

const ANSWERS = {
  'private.test': () => ['10.0.0.1'],
  'metadata.test': () => ['8.8.8.8', '169.254.169.254'],
  // Another answer each time: one that is allowed, one that is not.
  'flip.test': () => [asked++ % 2 === 0 ? '127.0.0.1' : '127.0.0.2'],
  'forbidden.test': () => ['127.0.0.2'],
};

dns.lookup = async (name, options) => {
  const response = ANSWERS[name];
  if (response === undefined) return lookup(name, options);
  return response().map((address) => ({ address, family: 4 }));
};
syncBuiltinESMExports();
