/** What may be sent for a schema of the contract: fields with a default may be left out. */
export type Input<Schema extends { _zod: { input: unknown } }> = Schema['_zod']['input'];

/** What is answered for a schema of the contract. */
export type Output<Schema extends { _zod: { output: unknown } }> = Schema['_zod']['output'];

/**
 * Something with a secret that is shown once: with the first answer. Where that answer was lost and the client
 * asked again, the secret is missing, since nobody can read it any more: make another one.
 */
export type ShownOnce<Shape, Name extends keyof Shape> = Omit<Shape, Name> & Partial<Pick<Shape, Name>>;
