import { ProblemError, type AgentConfig, type AgentTool, type ValidationIssue } from '@turnpike/contract';
import { shareNamedTools, type Sql } from '@turnpike/store';
import { BUILTIN_NAMES, type InputSchemas } from '@turnpike/tools';
import { checkModelKeys } from './routes/model-settings.ts';

/** Throws `invalid_request` for a client tool's schema that nothing could be checked against. */
export async function checkClientTools(
  schemas: InputSchemas,
  tenantId: string,
  tools: readonly AgentTool[],
): Promise<void> {
  const issues: ValidationIssue[] = [];
  for (const [place, tool] of tools.entries()) {
    const message = tool.type === 'client' ? await schemas.fault(tenantId, tool.input_schema) : null;
    if (message !== null) issues.push({ path: `tools.${place}.input_schema`, message });
  }
  throwIssues(issues);
}

/**
 * Throws `invalid_request` for tools and secrets that a configuration names and nobody has. Tools that it names stay
 * until the transaction ends.
 */
export async function checkNames(
  sql: Sql,
  tenantId: string,
  { tools, model_keys: keys }: Pick<AgentConfig, 'tools' | 'model_keys'>,
): Promise<void> {
  await checkModelKeys(sql, tenantId, keys ?? [], 'model_keys');
  const named = tools.flatMap((tool) => (tool.type === 'http' ? [tool.name] : []));
  const registered = named.length === 0 ? new Set<string>() : await shareNamedTools(sql, tenantId, named);
  throwIssues(
    tools.flatMap(({ type, name }, place): ValidationIssue[] => {
      const path = `tools.${place}.name`;
      if (type === 'http' && !registered.has(name)) {
        return [{ path, message: `there is no HTTP tool ${name}: register it with POST /v1/tools first` }];
      }
      if (type === 'builtin' && !BUILTIN_NAMES.includes(name)) {
        return [{ path, message: `there is no builtin tool ${name}; there are ${BUILTIN_NAMES.join(', ')}` }];
      }
      return [];
    }),
  );
}

/** Throws `invalid_request` with these issues, if there are any. */
export function throwIssues(issues: readonly ValidationIssue[]): void {
  if (issues.length > 0) throw new ProblemError('invalid_request', 'The body is not valid.', { issues });
}
