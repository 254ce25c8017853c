const LONGEST = 100;
const OTHER = 'other';

/**
 * Returns the label value for a name that clients may choose: the name itself for the first `most` names, `other` for
 * the rest, so that a metric has a bounded number of series.
 */
export function boundedNames(most: number): (name: string) => string {
  const known = new Set<string>();
  return (name) => {
    const label = name.slice(0, LONGEST);
    if (!known.has(label) && known.size < most) known.add(label);
    return known.has(label) ? label : OTHER;
  };
}
