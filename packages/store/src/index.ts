export * from './migrate.ts';
export * from './check-schema.ts';
