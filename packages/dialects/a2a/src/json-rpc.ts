import { describeIssues, idSchema, ProblemError } from '@turnpike/contract';
import {
  defineDialectRoute,
  encodeFrame,
  refused,
  STREAM_PROBLEMS,
  SUBMIT_PROBLEMS,
  takesNoStream,
  type DialectResult,
} from '@turnpike/dialect-base';
import { z } from 'zod';
import { askedOf } from './asked.ts';
import type { Method } from './method.ts';
import { METHODS } from './methods.ts';
import { isOfProtocol, RefusedError, rpcErrorOf } from './refusals.ts';
import { checkVersion } from './version.ts';

const requestSchema = z
  .object({
    jsonrpc: z.unknown(),
    id: z.unknown(),
    method: z.unknown(),
    params: z.unknown().meta({ description: 'As the method of A2A has them.' }),
  })
  .partial()
  .meta({ id: 'A2aRpcRequest', description: 'A JSON-RPC 2.0 request.' });

const callSchema = z.object({
  jsonrpc: z.literal('2.0'),
  id: z.union([z.string().max(1_000), z.int(), z.null()]).optional(),
  method: z.string().max(200),
  params: z.record(z.string(), z.unknown()).optional(),
});
type RpcId = string | number | null;

/**
 * Errors that neither JSON-RPC nor A2A has a code for, such as an exhausted budget, with the request that each is of: HTTP
 * tells them, and the body does in the form of JSON-RPC.
 */
const outside = new WeakMap<ProblemError, RpcId>();

/** The members of an error's body for a client of this binding; null for an error of another request. */
export function rpcMembersOf(error: ProblemError): Record<string, unknown> | null {
  const id = outside.get(error);
  return id === undefined ? null : { jsonrpc: '2.0', id, error: rpcErrorOf(error) };
}

/** The JSON-RPC binding: one route, whose body names the method. */
export const jsonRpcRoute = defineDialectRoute({
  method: 'post',
  path: '/a2a/:agent_id',
  operationId: 'a2aCall',
  summary: 'Call a method of A2A 1.0 (JSON-RPC)',
  description:
    'The methods of A2A 1.0. Methods that send and cancel need the scope `turns:write` as well. The message id is the ' +
    'idempotency key.',
  scope: 'turns:read',
  params: z.object({ agent_id: idSchema('agent') }),
  query: z.object({ 'A2A-Version': z.string().max(100).optional().meta({ description: 'As the header.' }) }),
  body: requestSchema,
  examples: {
    message: {
      value: {
        jsonrpc: '2.0',
        id: 1,
        method: 'SendMessage',
        params: {
          message: { messageId: 'message-1', role: 'ROLE_USER', parts: [{ text: 'What time is it?' }] },
        },
      },
    },
  },
  response: {
    status: 200,
    description: 'The result of the method, or its error.',
    schema: z
      .object({
        jsonrpc: z.literal('2.0'),
        id: z.union([z.string(), z.number(), z.null()]),
        result: z.unknown(),
        error: z.object({ code: z.int(), message: z.string(), data: z.array(z.looseObject({})) }).optional(),
      })
      .meta({ id: 'A2aRpcResponse', description: 'A JSON-RPC 2.0 response.' }),
    stream: 'The updates of a task, each a JSON-RPC response with a `StreamResponse` as its result.',
  },
  problems: [...SUBMIT_PROBLEMS, ...STREAM_PROBLEMS],
  noAct: 'It uses an agent.',
  keepsKey: true,
  async handle(call, useCases): Promise<DialectResult> {
    const { id: given } = call.body;
    const id: RpcId = typeof given === 'string' || typeof given === 'number' ? given : null;
    try {
      const asked = await askedOf(call, useCases);
      checkVersion(call.header('a2a-version'), call.query['A2A-Version']);
      const { method, params } = readCall(call.body);
      call.checkScope(method.scope);
      const answer = await method.answer(asked, params);
      const isWhole = 'result' in answer || takesNoStream(call.header('accept'));
      if (isWhole) {
        const result = 'result' in answer ? answer.result : answer.first;
        return { status: 200, body: { jsonrpc: '2.0', id, result } };
      }
      const encoder = answer.stream((result) => encodeFrame('message', { jsonrpc: '2.0', id, result }));
      return { status: 200, follow: { turnId: answer.turnId, encoder } };
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      if (!isOfProtocol(error)) {
        outside.set(error, id);
        throw error;
      }
      return { status: 200, body: { jsonrpc: '2.0', id, error: rpcErrorOf(error) } };
    }
  },
});

function readCall(body: unknown): { method: Method; params: Record<string, unknown> } {
  const call = callSchema.safeParse(body);
  if (!call.success) {
    const [issue] = describeIssues(call.error, body);
    throw new RefusedError(
      'INVALID_REQUEST',
      `The request is not JSON-RPC 2.0: ${issue?.path ?? ''} ${issue?.message ?? ''}`,
    );
  }
  const { method: name, params = {} } = call.data;
  const method = METHODS.find((each) => each.name === name);
  if (method === undefined) throw new RefusedError('METHOD_NOT_FOUND', `There is no method ${name}.`);
  const parsed = method.params.safeParse(params);
  if (parsed.success) return { method, params: parsed.data };
  const [issue] = describeIssues(parsed.error, params);
  throw refused(issue?.path ?? '', issue?.message ?? 'is not valid');
}
