import type { Progress } from './progress.ts';
import type { Finding } from './report.ts';
import type { Stage } from './stage.ts';

export interface Run {
  stage: Stage;
  progress: Progress;
  /** Short rounds and small crowds: to see that it works, and a first figure. */
  quick: boolean;
}

export interface Scenario {
  name: string;
  run(run: Run): Promise<Omit<Finding, 'scenario'>[]>;
}
