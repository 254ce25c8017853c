const LONGEST = 100;
const OTHER = 'other';

/**
 * What names that anybody may choose are called in a label: the first `most` of them as they are, the rest
 * `other`, so that a metric has a bounded number of series.
 */
export function boundedNames(most: number): (name: string) => string {
  const known = new Set<string>();
  return (name) => {
    const label = name.slice(0, LONGEST);
    if (!known.has(label) && known.size < most) known.add(label);
    return known.has(label) ? label : OTHER;
  };
}
