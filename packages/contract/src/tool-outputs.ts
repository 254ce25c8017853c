import { z } from 'zod';
import type { ToolOutput } from './calls.ts';
import { inputBlocksSchema } from './content.ts';
import { idSchema } from './ids.ts';
import { questionSchema } from './tool-journal.ts';

/**
 * What a tool call waits for from outside: an approval, the output of a tool that the client runs, the outcome of a
 * call that was sent and got no response, or the answer to a question that its tool asks.
 */
export const awaitingSchema = z.enum(['approval', 'output', 'outcome', 'answer']);
export type Awaiting = z.infer<typeof awaitingSchema>;

/** The input of a call for display. */
export const callInputView = z.unknown().meta({
  description:
    'The input. A number that a double cannot represent is a string. Null if the model gave none; not always an object.',
});
export const callInputText = z.string().nullable().meta({
  description:
    'The input as the model wrote it: an HTTP tool receives exactly this text. Null if there is none, and for calls of earlier versions.',
});

/** What a turn in `requires_action` waits for. */
export const requiredActionSchema = z
  .object({
    type: z.literal('submit_tool_outputs'),
    expires_at: z.iso
      .datetime()
      .meta({ description: 'A call that is still unresolved at this time counts as denied.' }),
    tool_calls: z.array(
      z.object({
        id: idSchema('toolCall'),
        tool_use_id: z.string(),
        name: z.string(),
        input: callInputView,
        input_text: callInputText,
        awaiting: awaitingSchema,
        question: questionSchema.nullable().meta({ description: 'With `awaiting: "answer"`.' }),
      }),
    ),
  })
  .meta({ id: 'RequiredAction', description: 'Resolved with `POST /v1/turns/{turn_id}/tool_outputs`.' });
export type RequiredAction = z.infer<typeof requiredActionSchema>;

const outputSchema = z
  .union([z.string().max(1_000_000), inputBlocksSchema])
  .meta({ description: 'Plain text, or content blocks.' });

const ofCall = { tool_call_id: idSchema('toolCall') };

const outputOfCallSchema = z
  .strictObject({ ...ofCall, output: outputSchema, is_error: z.boolean().default(false) })
  .meta({ description: 'For `awaiting: "output"` and `"outcome"`: the output of the call.' });
const approvalOfCallSchema = z
  .strictObject({ ...ofCall, approved: z.literal(true) })
  .meta({ description: 'For `awaiting: "approval"`: the call may be made.' });
const denialOfCallSchema = z
  .strictObject({
    ...ofCall,
    approved: z.literal(false),
    reason: z.string().max(10_000).optional().meta({ description: 'Shown to the model.' }),
  })
  .meta({ description: 'For `awaiting: "approval"`: the call is not made.' });
const unknownOutcomeSchema = z.strictObject({ ...ofCall, outcome: z.literal('unknown') }).meta({
  description: 'For `awaiting: "outcome"`: the outcome cannot be determined. The model is told so.',
});
const answerOfCallSchema = z
  .strictObject({
    ...ofCall,
    // It aborts, so that an output of another kind is not taken for an incomplete answer.
    answer: z.unknown().refine((answer) => answer !== undefined, { error: 'is required', abort: true }),
  })
  .meta({
    description: 'For `awaiting: "answer"`: the answer, of the form that `question.answer_schema` describes.',
  });
const repeatedCallSchema = z.strictObject({ ...ofCall, send_again: z.literal(true) }).meta({
  description:
    'For `awaiting: "outcome"`: send the call again with the same Idempotency-Key, although the first attempt may ' +
    'have taken effect. Recorded in the audit log.',
});

export const submitToolOutputsSchema = z
  .strictObject({
    tool_outputs: z
      .array(
        z.union([
          outputOfCallSchema,
          approvalOfCallSchema,
          denialOfCallSchema,
          unknownOutcomeSchema,
          repeatedCallSchema,
          answerOfCallSchema,
        ]),
      )
      .min(1)
      .max(128)
      .refine(
        (outputs) => new Set(outputs.map((output) => output.tool_call_id)).size === outputs.length,
        'each tool call at most once',
      ),
  })
  .meta({ id: 'SubmitToolOutputs' });
export type SubmitToolOutputs = z.infer<typeof submitToolOutputsSchema>;

/**
 * One submitted output as it is stored. `pending`: the worker makes the call (again), with the answer to its question,
 * as JSON text, where it asked one. Otherwise: its tool result.
 */
export type SubmittedOutput =
  | { toolCallId: string; status: 'pending'; answer?: { name: string; json: string } }
  | ({ toolCallId: string; status: 'completed' | 'unknown' } & ToolOutput);
