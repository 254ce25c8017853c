import type { UsageGroup } from './contract.ts';

export interface UsageQuery {
  /** Days in UTC, such as `2026-11-25`. Default: the last 30 days. */
  from?: string | undefined;
  to?: string | undefined;
  group_by?: UsageGroup[] | undefined;
  agent_id?: string | undefined;
  model?: string | undefined;
}
