import type { Model, ToolRunner } from '@turnpike/agent';
import type { ContentBlock } from '@turnpike/contract';
import type { Logger } from '@turnpike/telemetry';

/** Where what a turn says is logged: only of tenants for whom an operator has switched that on, at level `debug`. */
export interface ContentLog {
  isOn(tenantId: string): boolean;
  logger: Logger;
}

/** The same model; what is said is logged, where it may be. */
export function logModelContents(model: Model, { isOn, logger }: ContentLog): Model {
  return {
    ...model,
    async call(request, options) {
      const { tenantId, turnId, sessionId, epoch, messages } = request;
      const facts = { tenant_id: tenantId, turn_id: turnId, session_id: sessionId, epoch };
      if (isOn(tenantId)) {
        logger.debug('The model is asked.', { ...facts, texts: textsIn(messages.at(-1)?.content ?? []) });
      }
      const answer = await model.call(request, options);
      if (isOn(tenantId)) logger.debug('The model said.', { ...facts, texts: textsIn(answer.content) });
      return answer;
    },
  };
}

/** The same tools; what they answer is logged, where it may be. */
export function logToolContents(tools: ToolRunner, { isOn, logger }: ContentLog): ToolRunner {
  return {
    ...tools,
    async run(scope, call, context) {
      const output = await tools.run(scope, call, context);
      if (isOn(scope.tenantId)) {
        const { turnId, sessionId, epoch } = context;
        const ids = { tenant_id: scope.tenantId, turn_id: turnId, session_id: sessionId, epoch };
        const facts = { ...ids, tool_call_id: call.id };
        logger.debug('A tool said.', { ...facts, tool: call.name, texts: textsIn(output.content) });
      }
      return output;
    },
  };
}

/** Images and documents are left out. */
function textsIn(content: readonly ContentBlock[]): string[] {
  return content.flatMap((block) => {
    const text = block['text'] ?? block['thinking'] ?? block['content'];
    if (typeof text === 'string') return [text];
    return block.type === 'tool_use' || block.type === 'tool_result' ? [JSON.stringify(block)] : [];
  });
}
