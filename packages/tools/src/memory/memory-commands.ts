import { storableText, type InputSchema } from '@turnpike/contract';
import { z } from 'zod';
import { explainPath, normalPath } from './memory-path.ts';

const path = z
  .string()
  .transform(normalPath)
  .superRefine((value, context) => {
    const explanation = explainPath(value);
    if (explanation !== null) context.addIssue({ code: 'custom', message: explanation });
  });
const text = z.string().transform(storableText);

/** The commands of Anthropic's memory tool (`memory_20250818`). */
export const memoryCommandSchema = z.discriminatedUnion('command', [
  z.object({ command: z.literal('view'), path, view_range: z.tuple([z.int(), z.int()]).optional() }),
  z.object({ command: z.literal('create'), path, file_text: text }),
  z.object({
    command: z.literal('str_replace'),
    path,
    old_str: text.pipe(z.string().min(1)),
    new_str: text.default(''),
  }),
  z.object({ command: z.literal('insert'), path, insert_line: z.int().min(0), insert_text: text }),
  z.object({ command: z.literal('delete'), path }),
  z.object({ command: z.literal('rename'), old_path: path, new_path: path }),
]);
export type MemoryCommand = z.output<typeof memoryCommandSchema>;
/** A command that may change files. */
export type MemoryChange = Exclude<MemoryCommand, { command: 'view' }>;

export const MEMORY_DESCRIPTION =
  'Files of text under /memories that are kept between conversations. View /memories before you start on a ' +
  'task, since earlier conversations may have left something there, and write down what later ones should ' +
  'know: what was decided and learned, and how far the work is. Keep it short, current and in order: change ' +
  'or delete what is no longer true. Commands: view (a file, or what is in a folder), create (a new file), ' +
  'str_replace, insert, delete, rename.';

/** One flat object, since the Messages API accepts no alternatives at the top of a tool's schema. */
export const MEMORY_INPUT: InputSchema = {
  type: 'object',
  properties: {
    command: { type: 'string', enum: ['view', 'create', 'str_replace', 'insert', 'delete', 'rename'] },
    path: {
      type: 'string',
      description: 'For all commands but rename: an absolute path such as /memories/notes.txt.',
    },
    view_range: {
      type: 'array',
      items: { type: 'integer' },
      minItems: 2,
      maxItems: 2,
      description: 'For view of a file: the first and the last line, from 1; -1 is the end of the file.',
    },
    file_text: { type: 'string', description: 'For create: what the file says.' },
    old_str: { type: 'string', description: 'For str_replace: text that is in the file exactly once.' },
    new_str: { type: 'string', description: 'For str_replace: what takes its place.' },
    insert_line: {
      type: 'integer',
      minimum: 0,
      description: 'For insert: after this line; 0 is the beginning.',
    },
    insert_text: { type: 'string', description: 'For insert: the text.' },
    old_path: { type: 'string', description: 'For rename: the file or folder.' },
    new_path: { type: 'string', description: 'For rename: its new path, where nothing is yet.' },
  },
  required: ['command'],
  additionalProperties: false,
};
