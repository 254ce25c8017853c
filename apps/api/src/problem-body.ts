import { PROBLEMS, type Problem, type ProblemError } from '@turnpike/contract';

/** The body of a problem response, with the id of the request. */
export function problemBody(problem: ProblemError, requestId: string): Problem {
  const { status, title } = PROBLEMS[problem.code];
  return {
    type: `urn:turnpike:problem:${problem.code}`,
    title,
    status,
    detail: problem.message,
    code: problem.code,
    request_id: requestId,
    ...(problem.issues === undefined ? {} : { errors: [...problem.issues] }),
    ...(problem.blockingTurnId === undefined ? {} : { blocking_turn_id: problem.blockingTurnId }),
    ...(problem.agentIds === undefined ? {} : { agent_ids: [...problem.agentIds] }),
    ...(problem.oldestCursor === undefined ? {} : { oldest_cursor: problem.oldestCursor }),
  };
}
