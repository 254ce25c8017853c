import type { Model, ToolRunner } from '@turnpike/agent';
import type { ContentBlock } from '@turnpike/contract';

/** The same model; requests and responses are logged at `debug`, of tenants for which an operator has switched that on. */
export function logModelContents(model: Model): Model {
  return {
    ...model,
    async call(call) {
      const { turn, request } = call;
      if (turn.logsContent()) {
        turn.logger.debug('Model request.', { texts: textsIn(request.messages.at(-1)?.content ?? []) });
      }
      const response = await model.call(call);
      if (turn.logsContent()) turn.logger.debug('Model response.', { texts: textsIn(response.content) });
      return response;
    },
  };
}

/** The same tools; their results are logged at `debug`, of tenants for which an operator has switched that on. */
export function logToolContents(tools: ToolRunner): ToolRunner {
  return {
    ...tools,
    async run(scope, call, context) {
      const output = await tools.run(scope, call, context);
      if (context.logsContent()) context.logger.debug('Tool result.', { texts: textsIn(output.content) });
      return output;
    },
  };
}

/** Without images and documents. */
function textsIn(content: readonly ContentBlock[]): string[] {
  return content.flatMap((block) => {
    const text = block['text'] ?? block['thinking'] ?? block['content'];
    if (typeof text === 'string') return [text];
    return block.type === 'tool_use' || block.type === 'tool_result' ? [JSON.stringify(block)] : [];
  });
}
