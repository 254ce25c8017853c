import { Router, json } from 'express';
import type { Request, Response } from 'express';
import type { z } from 'zod';
import { waitQuerySchema } from './calls.ts';
import type { CallList, Stats } from './calls.ts';
import { invalidRequest } from './api-error.ts';
import { firstIssue } from './format-issue.ts';
import { scriptSchema } from './script.ts';
import type { Simulation } from './simulation.ts';

/** What tests steer the simulation with, under `/control`. */
export function controlRoutes(simulation: Simulation): Router {
  const router = Router();
  const readScript = json({ limit: 32 * 1024 * 1024, strict: true });

  router
    .route('/script')
    .put(readScript, (request, response) => response.json(setScript(simulation, request)))
    .post(readScript, (request, response) => response.json(setScript(simulation, request)))
    .get((_request, response) => response.json(simulation.script));

  router.post('/reset', (_request, response) => {
    simulation.reset();
    response.json({ reset: true });
  });

  router.post('/release', (_request, response) => {
    response.json({ released: simulation.gate.release() });
  });

  router.get('/calls', (request, response, next) => {
    listCalls(simulation, request, response).catch(next);
  });

  router.get('/stats', (_request, response) => {
    const stats: Stats = { ...simulation.ledger.stats(), rules: [...simulation.rulebook.fired] };
    response.json(stats);
  });
  return router;
}

async function listCalls(simulation: Simulation, request: Request, response: Response): Promise<void> {
  const query = parse(waitQuerySchema, request.query);
  const { ledger } = simulation;
  const { outcome } = query;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const seen = (): number => (outcome === undefined ? ledger.total : ledger.count(outcome));
  const reached = await ledger.waitUntil(() => seen() >= query.wait_for, query.timeout_ms, gone.signal);
  const list: CallList = { total: ledger.total, reached, calls: ledger.callsAfter(query.after) };
  if (!gone.signal.aborted) response.json(list);
}

function setScript(simulation: Simulation, request: Request): { rules: number } {
  const script = parse(scriptSchema, request.body);
  simulation.setScript(script);
  return { rules: script.rules.length };
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalidRequest(firstIssue(parsed.error));
  return parsed.data;
}
