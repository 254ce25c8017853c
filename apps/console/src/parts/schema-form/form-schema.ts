/** A JSON Schema (draft 2020-12) as it came: nothing in it is certain. */
export type Schema = Readonly<Record<string, unknown>>;

export interface Choice {
  value: unknown;
  label: string;
}

/** What a value is asked for with. `json`: whatever has no form of its own. */
export type FieldKind =
  | { kind: 'string' | 'number' | 'boolean' | 'json' }
  | { kind: 'choice'; choices: readonly Choice[] }
  | { kind: 'choices'; choices: readonly Choice[] }
  | { kind: 'list'; items: Schema }
  | { kind: 'object'; properties: readonly (readonly [string, Schema])[] };

const MOST_DEPTH = 6;
const MOST_HOPS = 8;
/** That are seen at once. References let a small schema have very many. */
const MOST_FIELDS = 200;
/** Of one field. More of them are asked for as JSON: a browser cannot show them well. */
const MOST_CHOICES = 2_000;
/** Of a list of choices, each of which has a box. */
const MOST_BOXES = 50;

type Members = Readonly<Record<string, unknown>>;

/** `root`: what references lead into. `depth`: of how many objects and lists a value is a part. */
export interface Depth {
  root: Schema;
  depth: number;
}

interface Place extends Depth {
  isRequired: boolean;
}

/** What was typed, and is no JSON. A form with it is not submitted. */
export class UnreadJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** `schema`: as `resolveSchema` gave it. */
export function kindOf(schema: Schema, { root, depth }: Depth): FieldKind {
  const choices = choicesOf(schema);
  if (choices !== null) return choices.length > MOST_CHOICES ? { kind: 'json' } : { kind: 'choice', choices };
  const { type } = schema;
  if (type === 'string' || type === 'boolean') return { kind: type };
  if (type === 'number' || type === 'integer') return { kind: 'number' };
  if (depth >= MOST_DEPTH) return { kind: 'json' };
  if (type === 'array' && isObject(schema['items'])) {
    const several = choicesOf(schema['items']);
    if (several !== null && several.length <= MOST_BOXES) return { kind: 'choices', choices: several };
    return { kind: 'list', items: schema['items'] };
  }
  if (type !== 'object' && type !== undefined) return { kind: 'json' };
  const properties = propertiesOf(schema);
  if (properties.length === 0 || countFields(schema, { root, depth }, MOST_FIELDS) <= 0)
    return { kind: 'json' };
  return { kind: 'object', properties };
}

/** How much of `budget` is left after the fields of an object, and of the objects that it must have. */
function countFields(schema: Schema, { root, depth }: Depth, budget: number): number {
  const required = requiredOf(schema, {});
  let left = budget;
  for (const [name, each] of propertiesOf(schema)) {
    left -= 1;
    if (left <= 0) return 0;
    if (!required.has(name) || depth >= MOST_DEPTH) continue;
    left = countFields(resolveSchema(each, root), { root, depth: depth + 1 }, left);
  }
  return left;
}

function propertiesOf({ properties }: Schema): [string, Schema][] {
  if (!isObject(properties)) return [];
  return Object.entries(properties).map(([name, each]) => [name, isObject(each) ? each : {}]);
}

/**
 * The schema with what it refers to, as far as a form needs it: `$ref` into `root`, and without the `null` of a value
 * that may be null, which a form does not ask for. `hops`: how many references led here.
 */
export function resolveSchema(schema: Schema, root: Schema, hops = 0): Schema {
  const { $ref: reference, anyOf, oneOf, type, ...others } = schema;
  if (hops >= MOST_HOPS) return {};
  if (typeof reference === 'string') {
    const { $ref: _, ...own } = schema;
    return resolveSchema({ ...find(root, reference), ...own }, root, hops + 1);
  }
  const union = anyOf ?? oneOf;
  if (Array.isArray(union)) {
    const [only, ...more] = union.filter((each): each is Schema => isObject(each) && each['type'] !== 'null');
    if (only !== undefined && more.length === 0 && union.length > 1)
      return resolveSchema({ ...only, ...others }, root, hops + 1);
  }
  if (!Array.isArray(type)) return schema;
  const [only, ...more] = type.filter((each) => each !== 'null');
  return more.length === 0 ? { ...schema, type: only } : schema;
}

/** The properties that an object with this value must have. */
export function requiredOf(schema: Schema, value: unknown): ReadonlySet<string> {
  const { if: condition, required } = schema;
  const branch = isObject(condition) ? schema[isMet(condition, value) ? 'then' : 'else'] : null;
  return new Set([...namesIn(required), ...(isObject(branch) ? namesIn(branch['required']) : [])]);
}

/**
 * What a field begins with: what the schema says by `default` and `const`. An object that is not required is left out
 * unless one of its parts says so.
 */
export function initialValue(given: Schema, { root, depth, isRequired }: Place): unknown {
  const schema = resolveSchema(given, root);
  if ('default' in schema) return schema['default'];
  if ('const' in schema) return schema['const'];
  const field = kindOf(schema, { root, depth });
  if (field.kind !== 'object' || !isRequired) return undefined;
  const start = (required: ReadonlySet<string>): Members =>
    membersOf(
      field.properties.map(([name, each]) => [
        name,
        initialValue(each, { root, depth: depth + 1, isRequired: required.has(name) }),
      ]),
    );
  // What it begins with may decide what is required.
  return start(requiredOf(schema, start(requiredOf(schema, {}))));
}

/**
 * The object after a change of one member. Objects that this makes required begin with their defaults; those that were
 * required and are not any more are left out.
 */
export function changeMember(
  schema: Schema,
  { root, depth }: Depth,
  before: Members,
  change: Members,
): Members {
  const after = { ...before, ...change };
  const wasRequired = requiredOf(schema, before);
  const required = requiredOf(schema, after);
  const field = kindOf(schema, { root, depth });
  if (field.kind !== 'object') return membersOf(Object.entries(after));
  const changed = field.properties.flatMap(([name, each]): [string, unknown][] => {
    if (required.has(name) === wasRequired.has(name)) return [];
    const place = { root, depth: depth + 1 };
    if (kindOf(resolveSchema(each, root), place).kind !== 'object') return [];
    if (!required.has(name)) return [[name, undefined]];
    return after[name] === undefined ? [[name, initialValue(each, { ...place, isRequired: true })]] : [];
  });
  return membersOf(Object.entries({ ...after, ...Object.fromEntries(changed) }));
}

/** Without what is left out. */
function membersOf(entries: [string, unknown][]): Members {
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/**
 * What is wrong with the value of a field, as far as a form can tell; null where nothing is. The API checks all of it.
 * Patterns are left to it: one that came from elsewhere could stop the browser.
 */
export function problemOf(schema: Schema, value: unknown, isRequired: boolean): string | null {
  if (value === undefined) return isRequired ? 'This is required.' : null;
  if (value instanceof UnreadJson) return 'This is not JSON.';
  if (typeof value === 'string') return problemOfLength(Array.from(value).length, schema);
  if (typeof value === 'number') return problemOfNumber(value, schema);
  if (!Array.isArray(value)) return null;
  const { minItems: least, maxItems: most } = schema;
  if (typeof least === 'number' && value.length < least) return `At least ${least} of them, please.`;
  return typeof most === 'number' && value.length > most ? `At most ${most} of them, please.` : null;
}

function problemOfLength(length: number, { minLength: least, maxLength: most }: Schema): string | null {
  if (typeof least === 'number' && length < least) return `At least ${least} characters, please.`;
  return typeof most === 'number' && length > most ? `At most ${most} characters, please.` : null;
}

function problemOfNumber(value: number, schema: Schema): string | null {
  const { minimum: least, maximum: most, exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) return 'This is too large to be sent exactly.';
  if (schema['type'] === 'integer' && !Number.isInteger(value)) return 'This must be a whole number.';
  if (typeof least === 'number' && value < least) return `This must be ${least} or more.`;
  if (typeof most === 'number' && value > most) return `This must be ${most} or less.`;
  if (typeof above === 'number' && value <= above) return `This must be more than ${above}.`;
  return typeof below === 'number' && value >= below ? `This must be less than ${below}.` : null;
}

/** `enum`, or alternatives of which each is one value with its title; null where it is neither. */
function choicesOf({ enum: values, oneOf, anyOf }: Schema): Choice[] | null {
  if (Array.isArray(values)) return values.map((value) => ({ value, label: labelOf(value) }));
  const alternatives = oneOf ?? anyOf;
  if (!Array.isArray(alternatives)) return null;
  const choices = alternatives.flatMap((each) =>
    isObject(each) && 'const' in each
      ? [{ value: each['const'], label: labelOf(each['title'] ?? each['const']) }]
      : [],
  );
  return choices.length > 0 && choices.length === alternatives.length ? choices : null;
}

const labelOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Whether the value has what the condition says of its properties by `const`. Another condition is not met. */
function isMet({ properties }: Schema, value: unknown): boolean {
  return (
    isObject(properties) &&
    isObject(value) &&
    Object.entries(properties).every(
      ([name, each]) => isObject(each) && 'const' in each && each['const'] === value[name],
    )
  );
}

/** What a JSON pointer into the document, such as `#/$defs/name`, leads to. */
function find(root: Schema, reference: string): Schema | null {
  if (!reference.startsWith('#/')) return null;
  let found: unknown = root;
  for (const part of reference.slice(2).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    found = isObject(found) && Object.hasOwn(found, name) ? found[name] : null;
  }
  return isObject(found) ? found : null;
}

function namesIn(names: unknown): string[] {
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
