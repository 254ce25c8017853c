/** The bounds of a list, as its query names them. */
interface Bounds {
  'created_at[gt]'?: string | undefined;
  'created_at[gte]'?: string | undefined;
  'created_at[lt]'?: string | undefined;
  'created_at[lte]'?: string | undefined;
}

/** When what is listed was created: not before the first of these, and before the second. */
export function createdBetween(bounds: Bounds): {
  createdAfter: Date | undefined;
  createdBefore: Date | undefined;
} {
  const inOrder = (moments: readonly (Date | undefined)[]): Date[] =>
    moments
      .filter((moment) => moment !== undefined)
      .toSorted((one, other) => one.getTime() - other.getTime());
  return {
    createdAfter: inOrder([momentOf(bounds['created_at[gte]']), nextOf(bounds['created_at[gt]'])]).at(-1),
    createdBefore: inOrder([momentOf(bounds['created_at[lt]']), nextOf(bounds['created_at[lte]'])])[0],
  };
}

const momentOf = (time: string | undefined): Date | undefined =>
  time === undefined ? undefined : new Date(time);

/** Times have milliseconds: after one is the same as not before the next. */
const nextOf = (time: string | undefined): Date | undefined =>
  time === undefined ? undefined : new Date(Date.parse(time) + 1);
