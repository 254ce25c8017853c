import {
  budgetPeriodSchema,
  budgetSchema,
  dateSchema,
  idSchema,
  pageLimitSchema,
  pageSchema,
  ProblemError,
  setBudgetSchema,
  usageGroupSchema,
  usageReportSchema,
  NO_USAGE,
  type Budget,
  type BudgetPeriod,
  type UsageItem,
} from '@turnpike/contract';
import { deleteBudget, listBudgets, readUsage, setBudget, type Sql } from '@turnpike/store';
import { z } from 'zod';
import { decodePosition, encodePosition, pageOf } from '../cursor.ts';
import { defineRoute, type Route } from '../route.ts';

const none = z.object({});
const params = z.object({ period: budgetPeriodSchema });
const DAY_MS = 24 * 60 * 60 * 1000;
const MOST_DAYS = 366;
const MOST_ITEMS = 10_000;

const usageQuery = z.object({
  from: dateSchema.optional().meta({ description: 'The first day, in UTC. Default: 29 days before `to`.' }),
  to: dateSchema.optional().meta({ description: 'The last day, in UTC. Default: today.' }),
  group_by: z
    .string()
    .default('day')
    .transform((text) => text.split(',').filter((part) => part !== ''))
    .pipe(z.array(usageGroupSchema).max(3))
    .meta({ description: 'Any of `day`, `agent` and `model`, comma-separated; empty for the total alone.' }),
  agent_id: idSchema('agent').optional(),
  model: z.string().min(1).max(200).optional(),
});

export const moneyRoutes: Route[] = [
  defineRoute({
    method: 'get',
    path: '/v1/usage',
    operationId: 'getUsage',
    summary: 'Read the usage: tokens, cost and turns, by day, agent and model',
    tag: 'Money',
    mayLag: true,
    scope: 'usage:read',
    params: none,
    query: usageQuery,
    response: { status: 200, description: 'The sums.', schema: usageReportSchema },
    problems: [],
    async handle({ tenantId, query, sql }) {
      const { from, to } = rangeOf(query.from, query.to);
      const range = { from, to, agentId: query.agent_id, model: query.model };
      const items = await readUsage(sql, tenantId, range, query.group_by, MOST_ITEMS + 1);
      if (items.length > MOST_ITEMS) {
        throw invalid('group_by', `gives more than ${MOST_ITEMS} rows: ask for fewer days or groups`);
      }
      const [total = NOTHING] = await readUsage(sql, tenantId, range, [], 1);
      return { status: 200, body: { object: 'usage_report', from, to, items, total } };
    },
  }),

  defineRoute({
    method: 'get',
    path: '/v1/budgets',
    operationId: 'listBudgets',
    summary: "List the tenant's and the operator's budgets, with what is spent",
    tag: 'Money',
    scope: 'usage:read',
    params: none,
    query: z.object({ limit: pageLimitSchema, cursor: z.string().max(100).optional() }),
    response: {
      status: 200,
      description: 'One page.',
      schema: pageSchema(budgetSchema).meta({ id: 'BudgetList' }),
    },
    problems: ['invalid_cursor'],
    async handle({ tenantId, query, sql }) {
      const [after = -1] = query.cursor === undefined ? [] : decodePosition(query.cursor, 1);
      const budgets = await listBudgets(sql, tenantId);
      const placeOf = (budget: Budget): string => encodePosition([budgets.indexOf(budget)]);
      return { status: 200, body: pageOf(budgets.slice(after + 1), query.limit, placeOf) };
    },
  }),

  defineRoute({
    method: 'put',
    path: '/v1/budgets/:period',
    operationId: 'setBudget',
    summary: 'Set a budget for each day or month of UTC',
    tag: 'Money',
    scope: 'admin',
    params,
    query: none,
    body: setBudgetSchema,
    response: { status: 200, description: 'The budget.', schema: budgetSchema },
    problems: [],
    async handle({ tenantId, params: { period }, body, sql }) {
      await setBudget(sql, { tenantId, period, setBy: 'tenant', limitMicros: body.limit_micros });
      const details = { limit_micros: body.limit_micros };
      return { status: 200, body: await ownBudget(sql, tenantId, period), audited: { details } };
    },
  }),

  defineRoute({
    method: 'delete',
    path: '/v1/budgets/:period',
    operationId: 'deleteBudget',
    summary: "Delete a budget of the tenant; the operator's stays",
    tag: 'Money',
    scope: 'admin',
    params,
    query: none,
    response: { status: 204, description: 'Deleted.' },
    problems: ['not_found'],
    async handle({ tenantId, params: { period }, sql }) {
      const deleted = await deleteBudget(sql, { tenantId, period, setBy: 'tenant' });
      if (!deleted) throw new ProblemError('not_found', `There is no budget of the ${period}.`);
      return { status: 204 };
    },
  }),
];

const NOTHING: UsageItem = {
  day: null,
  agent_id: null,
  model: null,
  turns: 0,
  model_calls: 0,
  usage: NO_USAGE,
  cost_micros: 0,
};

async function ownBudget(sql: Sql, tenantId: string, period: BudgetPeriod): Promise<Budget> {
  const budgets = await listBudgets(sql, tenantId);
  const own = budgets.find((budget) => budget.period === period && budget.set_by === 'tenant');
  if (own === undefined) throw new ProblemError('not_found', `There is no budget of the ${period}.`);
  return own;
}

function rangeOf(from: string | undefined, to: string | undefined): { from: string; to: string } {
  const last = to ?? dayOf(Date.now());
  const first = from ?? dayOf(Date.parse(last) - 29 * DAY_MS);
  const days = (Date.parse(last) - Date.parse(first)) / DAY_MS + 1;
  if (days < 1) throw invalid('to', 'is before `from`');
  if (days > MOST_DAYS) throw invalid('from', `is more than ${MOST_DAYS} days before \`to\``);
  return { from: first, to: last };
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function invalid(path: string, message: string): ProblemError {
  return new ProblemError('invalid_request', 'The query is not valid.', { issues: [{ path, message }] });
}
