import type { Model } from '@turnpike/agent';
import type { Database } from '@turnpike/store';
import type { InputSchemas } from '@turnpike/tools';
import type { CodeTool } from '@turnpike/worker';
import type { IsolatedTools } from '@turnpike/worker/internal';
import type { CrashPlan } from './crash-points.ts';

/** A turn under test. */
export interface Run {
  readonly database: Database;
  readonly tenantId: string;
  readonly turnId: string;
  readonly model: Model;
  readonly tools: readonly CodeTool[];
  /** The pool of its agent. */
  readonly pool: string;
  readonly secrets: Readonly<Record<string, string>>;
  readonly schemas: InputSchemas;
  readonly isolated: IsolatedTools;
  readonly plan: CrashPlan;
  readonly thrown: unknown[];
  modelCalls: number;
  /** When it must be over, on `performance.now()`. */
  readonly end: number;
}
