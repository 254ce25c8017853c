import type { RequestHandler } from 'express';
import { ApiError } from './api-error.ts';
import { checkHeaders } from './check-headers.ts';
import { sendJson } from './send-json.ts';
import type { Simulation } from './simulation.ts';

/** The models that are listed; calls may name any other. */
const MODELS = [
  { id: 'claude-opus-5-5', name: 'Claude Opus 5.5', line: 'opus', created: '2026-09-01T00:00:00Z' },
  { id: 'claude-sonnet-5-5', name: 'Claude Sonnet 5.5', line: 'sonnet', created: '2026-09-01T00:00:00Z' },
  { id: 'claude-haiku-5-5', name: 'Claude Haiku 5.5', line: 'haiku', created: '2026-09-01T00:00:00Z' },
  { id: 'claude-haiku-4-5', name: 'Claude Haiku 4.5', line: 'haiku', created: '2025-10-01T00:00:00Z' },
].map(({ id, name, line, created }) => ({
  type: 'model',
  id,
  display_name: `${name} (simulated)`,
  created_at: created,
  capabilities: null,
  deprecated_at: null,
  lifecycle: 'active',
  line,
  max_input_tokens: 200_000,
  max_tokens: 64_000,
  retires_at: null,
}));

/** `GET /v1/models`: all of them on one page. */
export function listModels(simulation: Simulation): RequestHandler {
  return (request, response) => {
    checkHeaders(request.headers, simulation.script.api_keys);
    sendJson(response, 200, {
      data: MODELS,
      has_more: false,
      first_id: MODELS[0]?.id ?? null,
      last_id: MODELS.at(-1)?.id ?? null,
    });
  };
}

/** `GET /v1/models/:id`. */
export function getModel(simulation: Simulation): RequestHandler<{ id: string }> {
  return (request, response) => {
    checkHeaders(request.headers, simulation.script.api_keys);
    const model = MODELS.find((candidate) => candidate.id === request.params.id);
    if (model === undefined) throw new ApiError(404, `model: ${request.params.id}`);
    sendJson(response, 200, model);
  };
}
