import { ProblemError } from '@turnpike/contract';
import type { Dialect } from '@turnpike/dialect-base';
import express, { type Router } from 'express';
import { addLogFields } from '../log-requests.ts';
import { originOf } from '../origin-of.ts';

/** What a cache may keep: a card changes with a version of the service. */
const CACHED = 'public, max-age=300';

/** The documents of dialects that need no key. */
export function servePublicCards(dialects: readonly Dialect[]): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  for (const { publicCards, name } of dialects) {
    if (publicCards === undefined) continue;
    const { path, params, cardOf } = publicCards;
    router.get(path, (request, response) => {
      addLogFields(response, { route: path, operation: `${name}PublicCard` });
      const parsed = params.safeParse(request.params);
      if (!parsed.success) throw new ProblemError('not_found', 'There is nothing at this path.');
      response
        .set('Cache-Control', CACHED)
        .vary('Host')
        .json(cardOf(parsed.data, originOf(request)));
    });
  }
  return router;
}
