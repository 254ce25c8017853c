import { z } from 'zod';

/**
 * All problems that the API can return: stable code, HTTP status and title (RFC 9457).
 * Codes are never renamed; a new cause gets a new code.
 */
export const PROBLEMS = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  malformed_request: { status: 400, title: 'The request is not valid HTTP' },
  ambiguous_header: { status: 400, title: 'A header has several values' },
  invalid_json: { status: 400, title: 'The body is not JSON' },
  invalid_cursor: { status: 400, title: 'The cursor is not valid' },
  invalid_idempotency_key: { status: 400, title: 'The Idempotency-Key is not valid' },
  budget_exceeded: { status: 402, title: 'The budget is exhausted' },
  unauthenticated: { status: 401, title: 'A valid API key is required' },
  insufficient_scope: { status: 403, title: 'The API key lacks the required scope' },
  override_not_allowed: { status: 403, title: 'The agent does not allow this override' },
  not_found: { status: 404, title: 'The resource was not found' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  request_timeout: { status: 408, title: 'The request was not received in time' },
  idempotency_key_in_use: { status: 409, title: 'A request with this Idempotency-Key is still in progress' },
  agent_deleted: { status: 409, title: 'The agent was deleted' },
  agent_changed: { status: 409, title: 'The agent has a newer version' },
  session_busy: { status: 409, title: 'The session is busy' },
  batch_limit: { status: 409, title: 'There are too many open batches' },
  schedule_limit: { status: 409, title: 'There are too many schedules' },
  batch_not_ended: { status: 409, title: 'The batch has not ended' },
  no_action_required: { status: 409, title: 'The turn requires no action' },
  tool_call_settled: { status: 409, title: 'The tool call already has an outcome' },
  session_limit: { status: 409, title: 'There are too many sessions' },
  tool_name_taken: { status: 409, title: 'A tool with this name exists' },
  tool_in_use: { status: 409, title: 'The tool is used by agents' },
  mcp_server_name_taken: { status: 409, title: 'An MCP server with this name exists' },
  mcp_server_in_use: { status: 409, title: 'The MCP server is used by agents' },
  mcp_server_limit: { status: 409, title: 'There are too many MCP servers' },
  mcp_tools_changed: { status: 409, title: 'The list of tools is another by now' },
  turn_not_ended: { status: 409, title: 'The turn has not ended' },
  session_too_large: { status: 409, title: 'The session is too large to be copied' },
  rerun_not_confirmed: { status: 409, title: 'The effects that would be repeated are not confirmed' },
  not_resumable: { status: 409, title: 'The turn cannot be resumed' },
  agent_limit: { status: 409, title: 'There are too many agents' },
  agent_version_limit: { status: 409, title: 'The agent has too many versions' },
  tool_limit: { status: 409, title: 'There are too many tools' },
  secret_limit: { status: 409, title: 'There are too many secrets' },
  api_key_limit: { status: 409, title: 'There are too many active API keys' },
  webhook_endpoint_limit: { status: 409, title: 'There are too many webhook endpoints' },
  webhook_endpoint_disabled: { status: 409, title: 'The webhook endpoint is disabled' },
  file_limit: { status: 409, title: 'There are too many files' },
  file_storage_full: { status: 409, title: 'The files would be too large together' },
  file_not_ready: { status: 409, title: 'The file is not ready' },
  file_refused: { status: 409, title: 'The scan of files refused the file' },
  upload_incomplete: { status: 409, title: 'The upload is not complete' },
  result_deleted: { status: 410, title: 'The result of the request was deleted' },
  cursor_expired: { status: 410, title: 'The cursor has expired' },
  metadata_too_large: { status: 413, title: 'The metadata is too large' },
  body_too_large: { status: 413, title: 'The body is too large' },
  batch_too_large: { status: 413, title: 'The batch is too large' },
  file_too_large: { status: 413, title: 'The file is too large' },
  range_not_satisfiable: { status: 416, title: 'The range is not in the file' },
  file_type_mismatch: { status: 422, title: 'The content of the file is of another type' },
  unsupported_media_type: { status: 415, title: 'The media type is not supported' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used with another request' },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  rate_limited: { status: 429, title: 'Too many requests' },
  queue_full: { status: 429, title: 'Too many turns are waiting' },
  too_many_bodies: { status: 429, title: 'Too many request bodies are being received' },
  too_many_streams: { status: 429, title: 'Too many streams are open' },
  internal_error: { status: 500, title: 'Internal error' },
  not_ready: { status: 503, title: 'The service is not ready' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** The body of an error response, `application/problem+json`. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    request_id: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    blocking_turn_id: z.string().optional(),
    agent_ids: z.array(z.string()).optional(),
    oldest_cursor: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'An error, in the format of RFC 9457.' });
export type Problem = z.infer<typeof problemSchema>;
