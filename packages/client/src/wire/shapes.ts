/** The request type of a schema of the contract: fields with a default are optional. */
export type Input<Schema extends { _zod: { input: unknown } }> = Schema['_zod']['input'];

/** The response type of a schema of the contract. */
export type Output<Schema extends { _zod: { output: unknown } }> = Schema['_zod']['output'];

/**
 * A resource with a secret that is shown once, in the first response. If that response was lost and the client
 * retried, the secret is missing and cannot be read again: create another one.
 */
export type ShownOnce<Shape, Name extends keyof Shape> = Omit<Shape, Name> & Partial<Pick<Shape, Name>>;
