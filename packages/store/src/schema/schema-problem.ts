/** Something that is not as the migrations make it. */
export interface SchemaProblem {
  /** What differs from what. */
  title: string;
  /** The difference. */
  lines: string[];
  /** What to do about it. */
  remedy: string;
}
