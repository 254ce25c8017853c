import { Readable } from 'node:stream';
import { readBatchResults, type Sql } from '@turnpike/store';
import { pipeContent } from '../pipe-content.ts';
import type { RouteResult } from '../route.ts';

/** Results in one statement. */
const GROUP = 100;

/** The results of a batch as JSONL, read at the client's pace. */
export function sendResults(
  sql: Sql,
  batch: { tenantId: string; id: string },
  page: { after: number; limit: number | null },
  reportError: (error: unknown) => void,
): RouteResult {
  return {
    status: 200,
    stream(response) {
      response.statusCode = 200;
      response.setHeader('Content-Type', 'application/jsonl; charset=utf-8');
      void pipeContent(response, () => Readable.from(resultLines(sql, batch, page))).catch(reportError);
    },
  };
}

async function* resultLines(
  sql: Sql,
  batch: { tenantId: string; id: string },
  { after, limit }: { after: number; limit: number | null },
): AsyncGenerator<string> {
  let index = after;
  for (let left = limit ?? Infinity; left > 0;) {
    const wanted = Math.min(GROUP, left);
    const results = await readBatchResults(sql, batch, { index, limit: wanted });
    if (results.length > 0) yield results.map((result) => `${JSON.stringify(result)}\n`).join('');
    if (results.length < wanted) return;
    index += results.length;
    left -= results.length;
  }
}
