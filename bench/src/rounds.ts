/**
 * Measures both in turn, so that other load on the machine affects both alike.
 * Returns a pair for each round.
 */
export async function alternate<One, Other>(
  rounds: number,
  one: () => Promise<One>,
  other: () => Promise<Other>,
): Promise<[One, Other][]> {
  const pairs: [One, Other][] = [];
  for (let round = 0; round < rounds; round++) pairs.push([await one(), await other()]);
  return pairs;
}
