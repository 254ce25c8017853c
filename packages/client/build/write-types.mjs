/**
 * Writes Zod schemas as plain TypeScript types, so that users of the client need neither Zod nor the contract. A
 * schema's `id` becomes the name of a type, its `description` a comment. Throws for an unknown kind of schema.
 */
export class TypeWriter {
  #declared = new Map();

  /** All named types, in order. */
  get declarations() {
    return [...this.#declared].map(([name, { comment, type }]) => `${comment}export type ${name} = ${type};`);
  }

  /** Declares a named type for a schema. `side`: `input` for requests, `output` for responses. */
  declare(name, schema, side) {
    const type = this.write(schema, side);
    if (type !== name) this.#add(name, { comment: commentOf(schema), type });
  }

  /** The type expression of a schema. */
  write(schema, side) {
    const id = schema.meta()?.id;
    if (id === undefined) return this.#body(schema, side);
    const known = this.#declared.get(id);
    if (known?.schema === schema && known.side === side) return id;
    const type = this.#body(schema, side);
    // Most types are the same for input and output.
    if (known?.type === type) return id;
    const name = known === undefined ? id : `${id}${side === 'input' ? 'Input' : 'Output'}`;
    this.#add(name, { comment: commentOf(schema), type, schema, side });
    return name;
  }

  #add(name, declared) {
    const known = this.#declared.get(name);
    if (known !== undefined && known.type !== declared.type) throw new Error(`Two types are called ${name}.`);
    this.#declared.set(name, declared);
  }

  #body(schema, side) {
    const { def } = schema._zod;
    switch (def.type) {
      case 'string':
      case 'number':
      case 'boolean':
        return def.coerce === true && side === 'input' ? 'unknown' : def.type;
      case 'null':
      case 'undefined':
      case 'unknown':
      case 'never':
        return def.type;
      case 'literal':
        return def.values.map(writeLiteral).join(' | ');
      case 'enum':
        return Object.values(def.entries).map(writeLiteral).join(' | ');
      case 'array':
        return `Array<${this.write(def.element, side)}>`;
      case 'record':
        return `Record<${this.write(def.keyType, side)}, ${this.write(def.valueType, side)}>`;
      case 'union':
        return joined(def.options.map((option) => this.write(option, side)));
      case 'intersection':
        return `(${this.write(def.left, side)}) & (${this.write(def.right, side)})`;
      case 'nullable':
        return joined([this.write(def.innerType, side), 'null']);
      case 'optional':
        return joined([this.write(def.innerType, side), 'undefined']);
      case 'default':
      case 'prefault': {
        const inner = this.write(def.innerType, side);
        return side === 'input' ? joined([inner, 'undefined']) : inner;
      }
      case 'pipe':
        return this.write(side === 'input' ? def.in : def.out, side);
      case 'object':
        return this.#object(def, side);
      default:
        throw new Error(`A schema of the kind "${def.type}" cannot be written as a type.`);
    }
  }

  #object({ shape, catchall }, side) {
    const fields = Object.entries(shape).map(([name, schema]) => {
      const isOptional = schema._zod[side === 'input' ? 'optin' : 'optout'] !== undefined;
      return `${commentOf(schema)}${name}${isOptional ? '?' : ''}: ${this.write(schema, side)};`;
    });
    const isClosed = catchall === undefined || catchall._zod.def.type === 'never';
    if (!isClosed) fields.push(`[name: string]: ${this.write(catchall, side)};`);
    return `{\n${indented(fields.join('\n'))}\n}`;
  }
}

function joined(types) {
  return [...new Set(types)].join(' | ');
}

function writeLiteral(value) {
  return typeof value === 'string' ? `'${value.replaceAll(/['\\]/g, '\\$&')}'` : String(value);
}

function commentOf(schema) {
  const description = schema.meta()?.description;
  return description === undefined ? '' : `/** ${description.replaceAll('*/', '* /')} */\n`;
}

function indented(text) {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
