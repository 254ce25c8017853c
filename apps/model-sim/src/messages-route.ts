import type { RequestHandler } from 'express';
import { handleModelCall } from './handle-model-call.ts';
import { ApiError } from './api-error.ts';
import { checkContentType, checkHeaders } from './check-headers.ts';
import { describeError } from './describe-error.ts';
import { parseCountTokensRequest, parseMessagesRequest } from './parse-request.ts';
import { readJsonBody } from './read-json-body.ts';
import { requestIdOf } from './request-id.ts';
import { sendJson } from './send-json.ts';
import type { Simulation } from './simulation.ts';
import { walkPrompt } from './walk-prompt.ts';

const MAX_IN_FLIGHT = 20_000;

/** `POST /v1/messages`: every call is in the ledger, also one that is refused. */
export function createMessage(simulation: Simulation): RequestHandler {
  return (request, response, next) => {
    const { ledger } = simulation;
    const call = ledger.begin(requestIdOf(response));
    response.once('finish', () => ledger.move(call, 'completed'));
    response.once('close', () => ledger.move(call, 'aborted'));

    const read = async () => {
      if (ledger.count('in_flight') > MAX_IN_FLIGHT) throw new ApiError(529, 'Overloaded');
      const { apiKey, keyHeader, version, betas } = checkHeaders(request.headers, simulation.script.api_keys);
      call.api_key_last4 = apiKey.slice(-4);
      call.api_key_header = keyHeader;
      checkContentType(request.headers);
      const body = await readJsonBody(request, response);
      call.betas = betas;
      call.parameters = parametersOf(body);
      const asked = parseMessagesRequest(body, { version, betas });
      call.tools = asked.tools.map(({ name }) => name);
      call.stream = asked.stream;
      call.model = asked.model;
      call.messages = asked.messages.length;
      return { asked, apiKey };
    };
    const handle = async (): Promise<void> => {
      let isRead = false;
      try {
        const { asked, apiKey } = await read();
        isRead = true;
        handleModelCall({ simulation, ledger, call, response }, asked, apiKey);
      } catch (error) {
        // A client that disconnected while it sent the body gets no response, and was not refused either.
        if (request.destroyed && !request.complete) return;
        call.status = describeError(error).status;
        if (!isRead && call.status < 500) ledger.reject();
        ledger.move(call, 'failed');
        next(error);
      }
    };
    void handle();
  };
}

const PROMPT = new Set(['messages', 'system', 'tools']);

function parametersOf(body: unknown): Record<string, unknown> {
  const fields = Object.entries(typeof body === 'object' && body !== null ? body : {});
  return Object.fromEntries(fields.filter(([name]) => !PROMPT.has(name)));
}

/** `POST /v1/messages/count_tokens`: costs nothing, so it is not in the ledger. */
export function countTokens(simulation: Simulation): RequestHandler {
  return (request, response, next) => {
    const handle = async (): Promise<void> => {
      const headers = checkHeaders(request.headers, simulation.script.api_keys);
      checkContentType(request.headers);
      const asked = parseCountTokensRequest(await readJsonBody(request, response), headers);
      sendJson(response, 200, { input_tokens: walkPrompt(asked).tokens });
    };
    handle().catch(next);
  };
}
