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
  | { kind: 'list'; items: Schema; most: number }
  | { kind: 'object'; properties: readonly (readonly [string, Schema])[] };

const MOST_DEPTH = 6;
const MOST_HOPS = 8;
/** What one form may cost to draw: each field one, and each ten choices one. References let a small schema have very many. */
const MOST_COST = 400;
const CHOICES_FOR_ONE = 10;
/** Of a list of choices, each of which has a box. */
const MOST_BOXES = 50;
/** Of a list, in a form. */
const MOST_ITEMS = 100;
/** Of a default that is a list or an object, as JSON. UTF-16 code units. */
const MOST_DEFAULT = 1_000;
/** What an object is asked for as JSON for: its properties are not all there is to it. */
const COMPOSED = ['allOf', 'anyOf', 'oneOf', 'not', 'patternProperties', 'dependentSchemas'] as const;

type Members = Readonly<Record<string, unknown>>;

/** `root`: what references lead into. `depth`: of how many objects and lists a value is a part. */
export interface Depth {
  root: Schema;
  depth: number;
}

interface Place extends Depth {
  isRequired: boolean;
}

/** What was typed, and is no JSON, or cannot be sent as it is. A form with it is not submitted. */
export class UnreadJson {
  readonly text: string;
  readonly problem: string;

  constructor(text: string, problem: string) {
    this.text = text;
    this.problem = problem;
  }
}

/** `schema`: as `resolveSchema` gave it. `value`: what a list holds may be too much for a form. */
export function kindOf(schema: Schema, { root, depth }: Depth, value?: unknown): FieldKind {
  const choices = choicesOf(schema);
  if (choices !== null) return { kind: 'choice', choices };
  const { type } = schema;
  if (type === 'string' || type === 'boolean') return { kind: type };
  if (type === 'number' || type === 'integer') return { kind: 'number' };
  if (depth >= MOST_DEPTH) return { kind: 'json' };
  if (type === 'array' && isObject(schema['items'])) {
    const several = choicesOf(schema['items']);
    if (several !== null && several.length <= MOST_BOXES) return { kind: 'choices', choices: several };
    const most = mostItems(schema, { root, depth });
    const isTooMuch = Array.isArray(value) && value.length > most;
    return most < 1 || isTooMuch ? { kind: 'json' } : { kind: 'list', items: schema['items'], most };
  }
  if (type !== 'object' && type !== undefined) return { kind: 'json' };
  const properties = propertiesOf(schema);
  const names = new Set(properties.map(([name]) => name));
  const isPlain =
    properties.length > 0 &&
    !COMPOSED.some((keyword) => keyword in schema) &&
    namesIn(schema['required']).every((name) => names.has(name));
  if (!isPlain || leftAfter(schema, { root, depth }, MOST_COST) <= 0) return { kind: 'json' };
  return { kind: 'object', properties };
}

/** How many items of this list a form can show. */
function mostItems({ items, maxItems: most }: Schema, { root, depth }: Depth): number {
  const item = resolveSchema(isObject(items) ? items : {}, root);
  const cost = MOST_COST - leftAfter(item, { root, depth: depth + 1 }, MOST_COST);
  const shown = Math.min(MOST_ITEMS, Math.floor(MOST_COST / Math.max(1, cost)));
  return typeof most === 'number' ? Math.min(most, shown) : shown;
}

/** How much of `budget` is left after a field, and after the fields within it that are there from the beginning. */
function leftAfter(schema: Schema, { root, depth }: Depth, budget: number): number {
  const choices = choicesOf(schema) ?? choicesOf(isObject(schema['items']) ? schema['items'] : {});
  let left = budget - 1 - (choices?.length ?? 0) / CHOICES_FOR_ONE;
  if (choices !== null || depth >= MOST_DEPTH) return left;
  const required = requiredOf(schema, {});
  for (const [name, each] of propertiesOf(schema)) {
    if (left <= 0) return 0;
    const isShown = required.has(name);
    const resolved = resolveSchema(each, root);
    left =
      isShown || choicesOf(resolved) !== null
        ? leftAfter(resolved, { root, depth: depth + 1 }, left)
        : left - 1;
  }
  return left;
}

function propertiesOf({ properties }: Schema): [string, Schema][] {
  if (!isObject(properties)) return [];
  return Object.entries(properties).map(([name, each]) => [name, isObject(each) ? each : {}]);
}

/** Of a resolved schema: whether the value may also be null. No keyword of a schema: those have no space. */
const NULLABLE = 'may be null';

export const isNullable = (schema: Schema): boolean => schema[NULLABLE] === true;

/**
 * The schema with what it refers to, as far as a form needs it: `$ref` into `root`, and without the `null` of a value
 * that may be null, which is what a field without a value is then. `hops`: how many references led here.
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
      return resolveSchema({ ...only, ...others, [NULLABLE]: true }, root, hops + 1);
  }
  if (!Array.isArray(type)) return schema;
  const [only, ...more] = type.filter((each) => each !== 'null');
  return more.length === 0 ? { ...schema, type: only, [NULLABLE]: type.length > 1 } : schema;
}

/** The properties that an object with this value must have. */
export function requiredOf(schema: Schema, value: unknown): ReadonlySet<string> {
  const { if: condition, required } = schema;
  const branch = isObject(condition) ? schema[isMet(condition, value) ? 'then' : 'else'] : null;
  return new Set([...namesIn(required), ...(isObject(branch) ? namesIn(branch['required']) : [])]);
}

/**
 * What a field begins with: what the schema says by `default` and `const`, where that is of the field's kind. An object
 * that is not required is left out unless it has a default.
 */
export function initialValue(given: Schema, place: Place): unknown {
  const schema = resolveSchema(given, place.root);
  if ('const' in schema) return schema['const'];
  const { default: standard } = schema;
  const isSmall = typeof standard !== 'object' || JSON.stringify(standard).length <= MOST_DEFAULT;
  const fitting = isSmall ? fittingValue(schema, place, standard) : undefined;
  return fitting === undefined ? emptyValue(schema, place) : fitting;
}

/** What a field has that nobody has filled in. */
function emptyValue(schema: Schema, { root, depth, isRequired }: Place): unknown {
  if (!isRequired) return undefined;
  if (isNullable(schema)) return null;
  const field = kindOf(schema, { root, depth });
  if (field.kind === 'choices') return [];
  if (field.kind === 'list') return leastItems(schema, field, { root, depth });
  return field.kind === 'object' ? objectValue(schema, { root, depth }) : undefined;
}

/** An object whose required parts have what they begin with. */
export function objectValue(schema: Schema, { root, depth }: Depth): Members {
  const field = kindOf(schema, { root, depth });
  if (field.kind !== 'object') return {};
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

/** The items that a list must have. */
export function leastItems(
  { minItems: least }: Schema,
  { items, most }: Extract<FieldKind, { kind: 'list' }>,
  { root, depth }: Depth,
): unknown[] {
  const length = typeof least === 'number' ? Math.min(least, most) : 0;
  return Array.from({ length }, () => initialValue(items, { root, depth: depth + 1, isRequired: true }));
}

/** As much of a default as the fields can show: what is not seen is not sent. */
function fittingValue(schema: Schema, { root, depth }: Depth, value: unknown): unknown {
  const field = kindOf(schema, { root, depth }, value);
  if (field.kind === 'json') return value;
  if (field.kind === 'choice') return isAmong(field.choices, value) ? value : undefined;
  if (field.kind === 'object') {
    if (!isObject(value)) return undefined;
    const members = field.properties.map(([name, each]): [string, unknown] => [
      name,
      fittingValue(resolveSchema(each, root), { root, depth: depth + 1 }, value[name]),
    ]);
    return membersOf(members);
  }
  if (field.kind === 'choices' || field.kind === 'list') {
    if (!Array.isArray(value)) return undefined;
    if (field.kind === 'choices') return value.filter((each) => isAmong(field.choices, each));
    const item = resolveSchema(field.items, root);
    return value.map((each) => fittingValue(item, { root, depth: depth + 1 }, each));
  }
  if (field.kind === 'string') return isShownAsText(schema, value) ? value : undefined;
  return typeof value === field.kind ? value : undefined;
}

/** A control for dates shows dates alone. */
const isShownAsText = ({ format }: Schema, value: unknown): boolean =>
  typeof value === 'string' && (format !== 'date' || /^\d{4}-\d{2}-\d{2}$/.test(value));

function isAmong(choices: readonly Choice[], value: unknown): boolean {
  const text = JSON.stringify(value);
  return choices.some((choice) => JSON.stringify(choice.value) === text);
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
    if (!isObjectField(each, place)) return [];
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
  if (value instanceof UnreadJson) return value.problem;
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
  if (schema['type'] === 'integer' && !Number.isInteger(value)) return 'This must be a whole number.';
  if (schema['type'] === 'integer' && !Number.isSafeInteger(value))
    return 'This is too large to be sent exactly.';
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

function isObjectField(schema: Schema, depth: Depth): boolean {
  return kindOf(resolveSchema(schema, depth.root), depth).kind === 'object';
}
