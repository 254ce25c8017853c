import { createHash } from 'node:crypto';
import {
  batchFormSchema,
  newId,
  ProblemError,
  type BatchForm,
  type BatchLine,
  type Limits,
  type ValidationIssue,
} from '@turnpike/contract';
import { abandonBatch, insertBatch, insertBatchLines, type NewLine, type Sql } from '@turnpike/store';
import { checkJsonText } from '../check-json.ts';
import { parseForm, receiveForm } from '../files/receive-form.ts';
import type { FormAsker, FormKind, ReceivedForm, Services } from '../route.ts';
import { LineChecker } from './line-checker.ts';
import { readLines, tooLarge, type TextLine } from './read-lines.ts';

/** Issues that one response names. */
const MOST_ISSUES = 50;
/** Lines in one statement, and the bytes after which it is sent with fewer. */
const GROUP_LINES = 500;
const GROUP_BYTES = 1024 * 1024;

/** Lines of a batch that are stored, and not seen by anybody until it is opened. */
export interface StoredLines {
  id: string;
  lineCount: number;
}

/** Stores lines in groups, as they come, and says of all which are not valid. */
class LineWriter {
  readonly #sql: Sql;
  readonly #batchId: string;
  readonly #most: number;
  readonly #nameOf: (number: number) => string;
  readonly #issues: ValidationIssue[] = [];
  #group: (NewLine & { number: number })[] = [];
  #bytes = 0;
  #lines = 0;

  constructor(sql: Sql, batchId: string, limits: Limits, nameOf: (number: number) => string) {
    this.#sql = sql;
    this.#batchId = batchId;
    this.#most = limits.max_batch_lines;
    this.#nameOf = nameOf;
  }

  get hasAllIssues(): boolean {
    return this.#issues.length >= MOST_ISSUES;
  }

  refuse(number: number, issues: readonly ValidationIssue[]): void {
    for (const { path, message } of issues)
      this.#issues.push({
        path: [this.#nameOf(number), path].filter((part) => part !== '').join('.'),
        message,
      });
  }

  async add(number: number, line: Omit<NewLine, 'index'>): Promise<void> {
    if (this.#lines === this.#most) throw tooLarge(`${this.#most} lines (\`max_batch_lines\`)`);
    this.#group.push({ ...line, number, index: this.#lines });
    this.#lines += 1;
    this.#bytes += line.request.length;
    if (this.#group.length === GROUP_LINES || this.#bytes > GROUP_BYTES) await this.#flush();
  }

  /** Returns how many there are. Throws `invalid_request` with the issues of all lines. */
  async end(): Promise<number> {
    await this.#flush();
    if (this.#issues.length === 0 && this.#lines === 0)
      this.#issues.push({ path: '', message: 'has no lines' });
    if (this.#issues.length === 0) return this.#lines;
    throw new ProblemError('invalid_request', 'Lines of the batch are not valid. None was accepted.', {
      issues: this.#issues.slice(0, MOST_ISSUES),
    });
  }

  async #flush(): Promise<void> {
    const group = this.#group;
    this.#group = [];
    this.#bytes = 0;
    if (group.length === 0) return;
    for (const { index } of await insertBatchLines(this.#sql, this.#batchId, group)) {
      const line = group.find((each) => each.index === index);
      if (line !== undefined)
        this.refuse(line.number, [{ path: 'custom_id', message: 'another line of the batch has it' }]);
    }
  }
}

/** Stores the lines of a JSON body, in the transaction of `sql`. Throws `invalid_request` and `batch_too_large`. */
export async function receiveItems(
  asker: FormAsker,
  services: Services,
  { items, ...about }: BatchForm & { items: readonly BatchLine[] },
): Promise<StoredLines> {
  const { tenantId, limits, sql } = asker;
  const id = newId('batch');
  await insertBatch(sql, { id, tenantId, about });
  const checker = new LineChecker(asker, services, about.defaults);
  const writer = new LineWriter(sql, id, limits, (number) => `items.${number - 1}`);
  for (const [place, item] of items.entries()) {
    const checked = await checker.checkItem(item);
    if ('issues' in checked) writer.refuse(place + 1, checked.issues);
    else await writer.add(place + 1, checked.line);
    if (writer.hasAllIssues) break;
  }
  return { id, lineCount: await writer.end() };
}

/** A form whose file is JSONL: each line is stored as it arrives, and nothing else of the file is held. */
export const batchForm: FormKind = {
  schema: {
    type: 'object',
    properties: {
      defaults: { type: 'string', description: 'JSON: `BatchDefaults`.' },
      metadata: { type: 'string', description: 'JSON.' },
      file: { type: 'string', format: 'binary', description: 'JSONL: a `BatchLine` on each line.' },
    },
    required: ['file'],
  },
  receive(request, response, asker, services) {
    const readAbout = ({ fields }: { fields: Record<string, string> }): BatchForm =>
      parseForm(batchFormSchema, fields);
    return receiveForm(request, readAbout, async ({ about, content }): Promise<ReceivedForm> => {
      const id = newId('batch');
      await insertBatch(asker.sql, { id, tenantId: asker.tenantId, about });
      let isKept = false;
      const release = (): void => {
        // Where this fails, the next pass removes it once it has received nothing for an hour.
        if (!isKept) abandonBatch(asker.sql, id).catch(() => undefined);
      };
      if (response.closed) release();
      else response.once('close', release);
      const hash = createHash('sha256');
      const hashed = async function* (): AsyncGenerator<Buffer> {
        for await (const chunk of content as AsyncIterable<Buffer>) {
          hash.update(chunk);
          yield chunk;
        }
      };
      const writer = new LineWriter(asker.sql, id, asker.limits, (number) => `line ${number}`);
      const checker = new LineChecker(asker, services, about.defaults);
      for await (const line of readLines(hashed(), asker.limits.max_batch_bytes)) {
        await storeLine(line, checker, writer);
        if (writer.hasAllIssues) break;
      }
      const lineCount = await writer.end();
      return {
        id,
        body: { ...about, lineCount },
        fingerprint: { about, sha256: hash.digest('hex') },
        keep() {
          isKept = true;
        },
      };
    });
  },
};

async function storeLine(
  { number, bytes }: TextLine,
  checker: LineChecker,
  writer: LineWriter,
): Promise<void> {
  let given: unknown;
  try {
    checkJsonText(bytes);
    given = JSON.parse(bytes.toString());
  } catch (error) {
    const why = error instanceof ProblemError ? error.message : 'is not JSON';
    writer.refuse(number, [{ path: '', message: why }]);
    return;
  }
  const checked = await checker.check(given);
  if ('issues' in checked) writer.refuse(number, checked.issues);
  else await writer.add(number, checked.line);
}
