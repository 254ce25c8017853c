import type { Usage } from '@turnpike/contract';

export type BudgetPeriod = 'day' | 'month';

/** Of several for one period, the least counts. Money is in millionths of a US dollar. */
export interface Budget {
  object: 'budget';
  /** A day or a month of UTC. */
  period: BudgetPeriod;
  set_by: 'operator' | 'tenant';
  limit_micros: number;
  spent_micros: number;
  starts_on: string;
  updated_at: string;
}

/** `null` where it is not told apart. */
export interface UsageItem {
  day: string | null;
  agent_id: string | null;
  model: string | null;
  turns: number;
  model_calls: number;
  usage: Usage;
  cost_micros: number;
}

export interface UsageReport {
  object: 'usage_report';
  from: string;
  to: string;
  items: UsageItem[];
  total: UsageItem;
}

export interface UsageQuery {
  /** Days of UTC, such as `2026-11-25`. Default: the last 30. */
  from?: string;
  to?: string;
  group_by?: ('day' | 'agent' | 'model')[];
  agent_id?: string;
  model?: string;
}
