import { z } from 'zod';

/*
 * The requests of A2A 1.0. Fields that the protocol does not know are ignored, as it says; fields that it knows and
 * that mean nothing here are refused where they are read (`send-message.ts`).
 */

const name = z.string().max(1_000);
const struct = z.record(z.string(), z.unknown());

/** Ids of tasks and contexts are checked where they are looked up: what is none is not found. */
const id = z.string().min(1).max(200);

const partSchema = z
  .object({
    text: z.string().optional(),
    raw: z.string().optional(),
    url: z.string().max(2_000).optional(),
    data: z.json().optional(),
    metadata: struct.optional(),
    filename: name.optional(),
    mediaType: z.string().max(200).optional(),
  })
  .meta({ id: 'A2aPart', description: 'Exactly one of `text`, `raw`, `url` and `data`.' });
export type RequestPart = z.infer<typeof partSchema>;

const messageSchema = z
  .object({
    messageId: id.meta({
      description: 'Of the messages with one id, an agent gets one: the others get its task again.',
    }),
    contextId: z.string().max(200).optional(),
    taskId: z.string().max(200).optional(),
    role: z.literal('ROLE_USER'),
    parts: z.array(partSchema).min(1).max(1_000),
    metadata: struct.optional(),
    extensions: z.array(name).optional(),
    referenceTaskIds: z.array(id).max(100).optional(),
  })
  .meta({ id: 'A2aMessage', description: 'What a client sends to an agent.' });
export type RequestMessage = z.infer<typeof messageSchema>;

/** A routing name that agents here do not have. */
const tenant = z.literal('').optional().meta({ description: 'Not used: agents have paths of their own.' });

const historyLength = z.int().min(0).max(2_147_483_647).optional().meta({
  description: 'The newest messages of the history, at most. Default: all.',
});

/** What may be in a header. */
const headerText = z
  .string()
  .regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$|^$/, 'must be visible ASCII characters');

export const pushConfigSchema = z
  .object({
    tenant,
    id: z.string().max(200).optional().meta({ description: 'Replaces the one with this id.' }),
    taskId: z.string().max(200).optional(),
    url: z.url({ protocol: /^https?$/ }).max(2_000),
    token: headerText.max(1_000).optional().meta({ description: 'Sent as `X-A2A-Notification-Token`.' }),
    authentication: z
      .object({
        scheme: z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,100}$/, 'must be a scheme of HTTP'),
        credentials: headerText.max(4_000).optional(),
      })
      .optional()
      .meta({ description: 'Sent as `Authorization`.' }),
  })
  .meta({ id: 'A2aPushNotificationConfig', description: 'Where a client wants to hear of a task.' });
export type PushConfigRequest = z.infer<typeof pushConfigSchema>;

export const pushConfigRequestSchema = z.object({ tenant, taskId: id, id });
export const pushConfigsRequestSchema = z.object({
  tenant,
  taskId: id,
  pageSize: z.int().min(0).optional(),
  pageToken: z.literal('').optional(),
});

export const sendMessageSchema = z
  .object({
    tenant,
    message: messageSchema,
    configuration: z
      .object({
        acceptedOutputModes: z.array(name).max(100).optional(),
        taskPushNotificationConfig: pushConfigSchema.optional(),
        historyLength,
        returnImmediately: z.boolean().optional(),
      })
      .optional(),
    metadata: struct.optional(),
  })
  .meta({ id: 'A2aSendMessageRequest', description: 'A message to an agent.' });
export type SendMessageRequest = z.infer<typeof sendMessageSchema>;

export const getTaskSchema = z.object({ tenant, id, historyLength });

/** States as clients may name them, also those that no task here ever has. */
const stateSchema = z.enum([
  'TASK_STATE_UNSPECIFIED',
  'TASK_STATE_SUBMITTED',
  'TASK_STATE_WORKING',
  'TASK_STATE_COMPLETED',
  'TASK_STATE_FAILED',
  'TASK_STATE_CANCELED',
  'TASK_STATE_INPUT_REQUIRED',
  'TASK_STATE_REJECTED',
  'TASK_STATE_AUTH_REQUIRED',
]);

export const listTasksSchema = z.object({
  tenant,
  contextId: z.string().max(200).optional().meta({ description: 'Only tasks of this context.' }),
  status: stateSchema.optional().meta({ description: 'Only tasks in this state.' }),
  pageSize: z.int().min(1).max(100).optional().meta({ description: 'Tasks on a page. Default: 50.' }),
  pageToken: z.string().max(200).optional().meta({ description: 'The `nextPageToken` of the page before.' }),
  historyLength,
  statusTimestampAfter: z.string().max(100).optional().meta({ description: 'Refused.' }),
  includeArtifacts: z.boolean().optional().meta({ description: 'Default: false.' }),
});

export const cancelTaskSchema = z.object({ tenant, id, metadata: struct.optional() });
export const subscribeSchema = z.object({ tenant, id });
export const cardRequestSchema = z.object({ tenant });
