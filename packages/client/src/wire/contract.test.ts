import { expect, test } from '@jest/globals';
import type * as Contract from '@turnpike/contract';
import type * as Written from './contract.ts';

/** True if each type is assignable to the other. */
type Same<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false;

/** The generator writes `never` for a side that no source uses. */
type SameSide<One, Other> = [One] extends [never] ? true : Same<One, Other>;

type Schemas = typeof Written;
type SchemasThatDiffer = {
  [Name in keyof Schemas & keyof typeof Contract]: (typeof Contract)[Name] extends {
    _zod: { input: infer Input; output: infer Output };
  }
    ? [
        SameSide<Schemas[Name]['_zod']['input'], Input>,
        SameSide<Schemas[Name]['_zod']['output'], Output>,
      ] extends [true, true]
      ? never
      : Name
    : Name;
}[keyof Schemas & keyof typeof Contract];

/** Checked by the compiler: this is a type error unless `SchemasThatDiffer` is `never`. */
const schemasThatDiffer: [SchemasThatDiffer] extends [never] ? 'none' : SchemasThatDiffer = 'none';
const typesAreTheSame: [
  Same<Written.Agent, Contract.Agent>,
  Same<Written.ApiKey, Contract.ApiKey>,
  Same<Written.Budget, Contract.Budget>,
  Same<Written.CodeTool, Contract.CodeTool>,
  Same<Written.Delivery, Contract.Delivery>,
  Same<Written.McpServer, Contract.McpServer>,
  Same<Written.ModelSettings, Contract.ModelSettings>,
  Same<Written.Problem, Contract.Problem>,
  Same<Written.SecretEntry, Contract.SecretEntry>,
  Same<Written.Session, Contract.Session>,
  Same<Written.Tool, Contract.Tool>,
  Same<Written.Turn, Contract.Turn>,
  Same<Written.TurnEvent, Contract.TurnEvent>,
  Same<Written.UsageReport, Contract.UsageReport>,
  Same<Written.WebhookEndpoint, Contract.WebhookEndpoint>,
  Same<Written.WebhookEventType, Contract.WebhookEventType>,
] = [true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true];

test('the generated types equal those of the contract', () => {
  expect(schemasThatDiffer).toBe('none');
  expect(typesAreTheSame).not.toContain(false);
});
