import type { z } from 'zod';

/** SQL for fields that are more than the column of their name. */
type Expressions<Schema extends z.ZodObject> = { [Field in keyof Schema['shape']]?: string };

/**
 * The select list for rows of this schema, so that a statement and the schema of its rows cannot differ. A field is
 * the column of `table` with its name in snake case, unless `expressions` says otherwise. The fields have the names
 * of Prisma's models, so the same schema reads a row that Prisma read.
 */
export function selectList<Schema extends z.ZodObject>(
  { shape }: Schema,
  table: string,
  expressions: Expressions<Schema> = {},
): string {
  return Object.keys(shape)
    .map((field) => `${expressions[field] ?? `${table}.${columnOf(field)}`} AS "${field}"`)
    .join(', ');
}

/** As `selectList`, for rows that are collected into JSON inside a statement. */
export function jsonObject<Schema extends z.ZodObject>(
  { shape }: Schema,
  table: string,
  expressions: Expressions<Schema> = {},
): string {
  const pairs = Object.keys(shape).map(
    (field) => `'${field}', ${expressions[field] ?? `${table}.${columnOf(field)}`}`,
  );
  return `json_build_object(${pairs.join(', ')})`;
}

function columnOf(field: string): string {
  return field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
