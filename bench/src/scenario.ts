import type { Progress } from './progress.ts';
import type { Finding } from './report.ts';
import type { Stage } from './stage.ts';

export interface Run {
  stage: Stage;
  progress: Progress;
  /** Short rounds and few clients: a check that the scenario works, and a first figure. */
  quick: boolean;
  /** As much as a large installation has, where a scenario stores something. */
  long: boolean;
  /** Names of the subjects that are measured, where a scenario has several; none: all. */
  only: readonly string[];
}

export interface Scenario {
  name: string;
  run(run: Run): Promise<Omit<Finding, 'scenario'>[]>;
}
