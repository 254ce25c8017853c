import type { Test } from 'supertest';
import { z } from 'zod';
import type { Client } from './test-api.ts';
import type { ApiDocument, Method, Operation, Parameter, Schema } from './read-operations.ts';
import { idPrefixOf, sampleOf } from './sample-schema.ts';

const objectSchema = z.object({ properties: z.record(z.string(), z.looseObject({})) });
const listSchema = z.object({ properties: z.object({ items: z.object({ items: z.looseObject({}) }) }) });
const idSchema = z.object({ id: z.string() });
const pageSchema = z.object({ items: z.array(idSchema) });

export function ask(client: Client, method: Method, path: string, body: object | null): Test {
  // Where a response can be a stream or a page, ask for the page.
  const request = client.http[method](path).set('accept', 'application/json');
  return body === null ? request : request.send(body);
}

/**
 * One object of each kind of a tenant, created by the operation of the document that creates it, or found in a list.
 * What is created in another way is in `known` from the start.
 */
export class TenantThings {
  readonly client: Client;
  /** By prefix, or by the parameter's name where the tenant chooses the name. */
  readonly known: Map<string, string>;
  readonly #document: ApiDocument;

  constructor(client: Client, document: ApiDocument, known: Record<string, string> = {}) {
    this.client = client;
    this.#document = document;
    this.known = new Map(Object.entries(known));
  }

  /** An object with this prefix. Throws where neither an operation nor a list has one. */
  async need(prefix: string): Promise<string> {
    const known = this.known.get(prefix);
    if (known !== undefined) return known;
    const found =
      (await this.#make(prefix, false)) ?? (await this.#find(prefix)) ?? (await this.#make(prefix, true));
    if (found === null) {
      throw new Error(
        `No operation makes a \`${prefix}_\` from the smallest body, and no list shows one: say in tenants.test.ts, ` +
          'where `known` is filled, how a tenant comes to have one.',
      );
    }
    this.known.set(prefix, found);
    return found;
  }

  /** The value of a path parameter: an id, an enum value, or a name that this tenant has used. */
  async valueFor(operation: Operation, parameter: Parameter): Promise<string> {
    const schema = this.#document.resolve(parameter.schema);
    const prefix = idPrefixOf(schema);
    if (prefix !== null) return this.need(prefix);
    if (isWord(schema)) return String(sampleOf(schema, this.#document, () => ''));
    const parameterKey = `${operation.path} ${parameter.name}`;
    const known = this.known.get(parameterKey);
    if (known !== undefined) return known;
    // A name of the tenant's choice: another tenant may have the same one.
    const name = `name-${this.client.keyId.slice(-12)}`;
    const put = this.#document.operations.find(
      ({ method, path }) => method === 'put' && path === operation.path,
    );
    if (put?.body == null) throw new Error(`Nothing puts a ${parameter.name} at ${operation.path}.`);
    this.known.set(parameterKey, name);
    const path = put.path.replace(`{${parameter.name}}`, name);
    await ask(this.client, 'put', path, await this.sample(put.body)).expect(200);
    return name;
  }

  /** The path of an operation with ids of this tenant; `replaced` overrides some. */
  async addressOf(operation: Operation, instead: Record<string, string> = {}): Promise<string> {
    let address = operation.path;
    const query: string[] = [];
    for (const parameter of operation.parameters) {
      const { name, required } = parameter;
      if (parameter.in === 'path') {
        address = address.replace(`{${name}}`, instead[name] ?? (await this.valueFor(operation, parameter)));
      } else if (parameter.in === 'query' && (required || instead[name] !== undefined)) {
        const value =
          instead[name] ??
          String(sampleOf(parameter.schema, this.#document, (prefix) => this.known.get(prefix) ?? ''));
        query.push(`${name}=${encodeURIComponent(value)}`);
      }
    }
    return query.length === 0 ? address : `${address}?${query.join('&')}`;
  }

  /** The smallest value of a schema, with ids of this tenant. */
  async sample(schema: Schema): Promise<object> {
    const needed = new Set<string>();
    sampleOf(schema, this.#document, (prefix) => {
      needed.add(prefix);
      return prefix;
    });
    for (const prefix of needed) await this.need(prefix);
    const value = sampleOf(schema, this.#document, (prefix) => this.known.get(prefix) ?? '');
    if (typeof value === 'object' && value !== null) return value;
    throw new Error('A body is an object.');
  }

  /** Created by a POST that returns one; `deep`: also by one with another id in its path. */
  async #make(prefix: string, deep: boolean): Promise<string | null> {
    for (const operation of this.#document.operations) {
      if (operation.method !== 'post' || operation.response === null || operation.path.includes('{') !== deep)
        continue;
      const response = objectSchema.safeParse(this.#document.resolve(operation.response));
      if (!response.success || this.#prefixOf(response.data.properties['id']) !== prefix) continue;
      if (this.#needs(operation, prefix)) continue;
      const body = operation.body === null ? null : await this.sample(operation.body);
      const made = await ask(this.client, 'post', await this.addressOf(operation), body);
      if (made.status < 300) return idSchema.parse(made.body).id;
      throw new Error(`${operation.id} does not take the smallest body: ${made.text}`);
    }
    return null;
  }

  async #find(prefix: string): Promise<string | null> {
    for (const operation of this.#document.operations) {
      if (operation.method !== 'get' || operation.response === null) continue;
      const list = listSchema.safeParse(this.#document.resolve(operation.response));
      if (!list.success) continue;
      const item = objectSchema.safeParse(this.#document.resolve(list.data.properties.items.items));
      if (!item.success || this.#prefixOf(item.data.properties['id']) !== prefix) continue;
      if (this.#needs(operation, prefix)) continue;
      const shown = await ask(this.client, 'get', await this.addressOf(operation), null).expect(200);
      const [first] = pageSchema.parse(shown.body).items;
      if (first !== undefined) return first.id;
    }
    return null;
  }

  /** Whether its path has a parameter for one of these already. */
  #needs({ parameters }: Operation, prefix: string): boolean {
    return parameters.some(
      (parameter) => parameter.in === 'path' && this.#prefixOf(parameter.schema) === prefix,
    );
  }

  #prefixOf(schema: Schema | undefined): string | null {
    return schema === undefined ? null : idPrefixOf(this.#document.resolve(schema));
  }
}

/** Whether it is one of a fixed set of values. */
export function isWord(schema: Schema): boolean {
  return schema['enum'] !== undefined || schema['const'] !== undefined || schema['type'] !== 'string';
}

/** An id like this one that does not exist. */
export const foreignId = (id: string): string => id.replace(/(?<=_01)[0-9a-z]{4}/, '0000');
