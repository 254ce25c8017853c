import {
  effectSchema,
  inputSchemaSchema,
  onUnknownSchema,
  secretNameSchema,
  toolNameSchema,
  toolSchemaIssues,
} from '@turnpike/contract';
import { z } from 'zod';
import { toJsonSchema, type ToolSchema } from './tool-schema.ts';

const MOST_SECRETS = 32;

const isFunction = z.custom<(...values: never[]) => unknown>(
  (value) => typeof value === 'function',
  'must be a function',
);
const schema = z.custom<ToolSchema>(
  (value) => value !== null && (typeof value === 'object' || typeof value === 'function'),
  'must be a schema',
);

/** What a definition must have, whatever its types said: users of plain JavaScript have none. */
const settingsSchema = z
  .strictObject({
    name: toolNameSchema,
    description: z.string().min(1).max(10_000),
    input: schema,
    output: schema.optional(),
    effect: effectSchema,
    onUnknown: onUnknownSchema.optional(),
    approval: z.union([z.boolean(), isFunction]).optional(),
    timeoutMs: z.int().min(100).max(86_400_000).optional(),
    secrets: z
      .array(secretNameSchema)
      .max(MOST_SECRETS)
      .refine((names) => new Set(names).size === names.length, 'names a secret twice')
      .optional(),
    isolate: z
      .union([
        z.boolean(),
        z.strictObject({
          module: z
            .url({
              protocol: /^(file|data)$/,
              error: 'must be import.meta.url of the module that exports the tool',
            })
            .optional(),
          memoryMb: z.int().min(64).max(4_096).optional(),
        }),
      ])
      .optional(),
    run: isFunction,
    reconcile: isFunction.optional(),
  })
  .refine(({ effect, reconcile }) => (effect === 'reconcile') === (reconcile !== undefined), {
    path: ['reconcile'],
    message: 'is required for the effect "reconcile", and not allowed for any other',
  });

/** Throws a `TypeError` that names the tool and what is wrong with it. */
export function checkTool(settings: unknown): void {
  const parsed = settingsSchema.safeParse(settings);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = issue?.path.join('.') ?? '';
    throw new TypeError(
      `${titleOf(settings)}: ${path === '' ? '' : `${path} `}${issue?.message ?? 'is invalid'}`,
    );
  }
  const { name, input } = parsed.data;
  const jsonSchema = inputSchemaSchema.safeParse(toJsonSchema(input, 'input', `The input of ${name}`));
  if (!jsonSchema.success) {
    const [issue] = jsonSchema.error.issues;
    const reason = issue?.path[0] === 'type' ? 'must be an object' : (issue?.message ?? 'is invalid');
    throw new TypeError(`The input of ${name} ${reason}.`);
  }
  const [issue] = toolSchemaIssues(jsonSchema.data);
  if (issue !== undefined) throw new TypeError(`The input of ${name}: ${issue.path}: ${issue.message}.`);
}

function titleOf(settings: unknown): string {
  const name =
    typeof settings === 'object' && settings !== null && 'name' in settings ? settings.name : undefined;
  return typeof name === 'string' ? `The tool "${name.slice(0, 64)}"` : 'A tool';
}
