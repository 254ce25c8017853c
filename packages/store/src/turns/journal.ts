import {
  awaitingSchema,
  contentBlockSchema,
  effectSchema,
  refusedBlockSchema,
  stepEffectSchema,
  toolCallStatusSchema,
  toolStepStatusSchema,
} from '@turnpike/contract';
import type { ContentBlock, messageSchema, RefusedBlock, stepSchema } from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { usageOf } from './stored-usage.ts';

const content = z.array(contentBlockSchema);
const stepTypeSchema = z.enum(['model_call', 'tool_calls', 'compaction']);
const roleSchema = z.enum(['user', 'assistant']);

/**
 * A turn's steps in order, those after index `after`, each with its content and the calls that it asked for.
 */
export async function listSteps(
  database: Database,
  turnId: string,
  page: { after: number; limit: number },
): Promise<z.infer<typeof stepSchema>[]> {
  const steps = await database.prisma.step.findMany({
    where: { turnId, index: { gt: page.after } },
    orderBy: { index: 'asc' },
    take: page.limit,
  });
  const range = { gt: page.after, lte: steps.at(-1)?.index ?? page.after };
  const [messages, calls] = await Promise.all([
    database.prisma.message.findMany({
      where: { turnId, stepIndex: range },
      orderBy: { index: 'asc' },
      omit: FOR_CLAIMS,
    }),
    database.prisma.toolCall.findMany({
      where: { turnId, stepIndex: range },
      orderBy: { position: 'asc' },
      include: { steps: { where: { kind: 'step' }, omit: { result: true }, orderBy: { startedAt: 'asc' } } },
    }),
  ]);
  return steps.map((step) => ({
    id: step.id,
    object: 'step',
    turn_id: step.turnId,
    index: step.index,
    type: stepTypeSchema.parse(step.type),
    model: step.model,
    stop_reason: step.stopReason,
    content: messages
      .filter((message) => message.stepIndex === step.index)
      .flatMap((message) => content.parse(message.content)),
    usage: usageOf(step),
    cost_micros: Number(step.costMicros),
    attempts: step.attempts,
    provider_request_id: step.providerRequestId,
    tool_calls: calls
      .filter((call) => call.stepIndex === step.index)
      .map((call) => ({
        id: call.id,
        tool_use_id: call.toolUseId,
        name: call.name,
        input: call.input,
        input_text: call.inputText,
        effect: effectSchema.parse(call.effect),
        status: toolCallStatusSchema.parse(call.status),
        awaiting: awaitingSchema.nullable().parse(call.awaiting),
        output: content.nullable().parse(call.output),
        is_error: call.isError,
        attempts: call.attempts,
        steps: call.steps.map((each) => ({
          name: each.name,
          effect: stepEffectSchema.parse(each.effect),
          status: toolStepStatusSchema.parse(each.status),
          started_at: each.startedAt.toISOString(),
          completed_at: each.completedAt?.toISOString() ?? null,
        })),
        child_turn_id: call.childTurnId,
        started_at: call.startedAt?.toISOString() ?? null,
        completed_at: call.completedAt?.toISOString() ?? null,
      })),
    started_at: step.startedAt.toISOString(),
    completed_at: step.completedAt.toISOString(),
  }));
}

/** What only a claim reads of a message. */
const FOR_CLAIMS = { contentWithoutMedia: true } as const;

/**
 * A session's messages in order, those after a position (turn sequence, index within the turn); null: from the first
 * one. `through`: up to those of the turn with this sequence. `order`: `desc` is the newest first.
 */
export async function listMessages(
  database: Database,
  sessionId: string,
  page: { after: MessagePosition | null; through?: number; limit: number; order?: 'asc' | 'desc' },
): Promise<{ message: z.infer<typeof messageSchema>; position: MessagePosition }[]> {
  const { after, through, order = 'asc' } = page;
  const beyond = order === 'asc' ? 'gt' : 'lt';
  const [rows, notes] = await Promise.all([
    database.prisma.message.findMany({
      where: {
        sessionId,
        ...(through === undefined ? {} : { turnSequence: { lte: through } }),
        ...(after === null
          ? {}
          : {
              AND: {
                turnSequence: { [`${beyond}e`]: after.turnSequence },
                OR: [
                  { turnSequence: { [beyond]: after.turnSequence } },
                  { index: { [beyond]: after.index } },
                ],
              },
            }),
      },
      orderBy: [{ turnSequence: order }, { index: order }],
      take: page.limit,
      omit: FOR_CLAIMS,
    }),
    database.prisma.summary.findFirst({
      where: { sessionId },
      orderBy: { throughSequence: 'desc' },
      select: { throughSequence: true },
    }),
  ]);
  // A query of its own rather than a join: the session may be erased in between, and its turns with it.
  const rolledBack = await database.prisma.turn.findMany({
    where: { id: { in: rows.map((row) => row.turnId) }, rolledBack: true },
    select: { id: true },
  });
  const rolledBackIds = new Set(rolledBack.map((turn) => turn.id));
  return rows.map((row) => {
    const blocks = content.parse(row.content);
    const refused = refusedBlocks.parse(row.refused);
    const hidden = hiddenReason({
      isRolledBack: rolledBackIds.has(row.turnId),
      isCompacted: row.turnSequence <= (notes?.throughSequence ?? 0),
      blocks,
      refused,
    });
    return {
      message: {
        id: row.id,
        object: 'message',
        session_id: row.sessionId,
        turn_id: row.turnId,
        role: roleSchema.parse(row.role),
        content: blocks,
        partial: row.partial,
        visible_to_model: hidden === null,
        hidden_reason: hidden,
        refused_blocks: refused,
        created_at: row.createdAt.toISOString(),
      },
      position: { turnSequence: row.turnSequence, index: row.index },
    };
  });
}

const refusedBlocks = z.array(refusedBlockSchema);

/** Why the next model call of the session does not include a message; null if it does. */
function hiddenReason(message: {
  isRolledBack: boolean;
  isCompacted: boolean;
  blocks: readonly ContentBlock[];
  refused: readonly RefusedBlock[];
}): z.infer<typeof messageSchema>['hidden_reason'] {
  const { isRolledBack, isCompacted, blocks, refused } = message;
  if (isRolledBack) return 'rolled_back';
  if (isCompacted) return 'compacted';
  const whole = new Set(
    refused.filter((block) => block.item_index === null).map((block) => block.block_index),
  );
  return blocks.length > 0 && whole.size === blocks.length ? 'refused' : null;
}

export interface MessagePosition {
  turnSequence: number;
  index: number;
}
