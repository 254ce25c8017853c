/** One line of the table. */
export interface Finding {
  scenario: string;
  what: string;
  value: number;
  /** `/s`, `ms`, `x` for a ratio, and so on. */
  unit: string;
  /** The target, where there is one. */
  target?: { atLeast: number } | { atMost: number };
}

export function isReached({ value, target }: Finding): boolean | null {
  if (target === undefined) return null;
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost;
}

const NUMBER = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/** The findings as a table for a terminal. */
export function tableOf(findings: readonly Finding[]): string {
  const rows = findings.map((finding) => {
    const reached = isReached(finding);
    const { target } = finding;
    return [
      finding.scenario,
      finding.what,
      `${NUMBER.format(finding.value)} ${finding.unit}`,
      target === undefined ? '' : 'atLeast' in target ? `>= ${target.atLeast}` : `<= ${target.atMost}`,
      reached === null ? '' : reached ? 'reached' : 'MISSED',
    ];
  });
  const table = [['scenario', 'what', 'value', 'target', ''], ...rows];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
