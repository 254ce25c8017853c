import { RefusedError } from './refusals.ts';

/** The version that is spoken, as `Major.Minor`. */
export const VERSION = '1.0';

/**
 * Checks the version that a request is made in: its header `A2A-Version`, or its parameter of that name. A client
 * without either speaks 0.3, says the specification. Throws `VERSION_NOT_SUPPORTED`.
 */
export function checkVersion(header: string | undefined, parameter: unknown): void {
  const given = header ?? (typeof parameter === 'string' ? parameter : '');
  const asked = given === '' ? '0.3' : given;
  if (asked !== VERSION)
    throw new RefusedError('VERSION_NOT_SUPPORTED', `A2A ${asked} is not spoken here: ${VERSION} is.`);
}
