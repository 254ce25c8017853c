import type { BaseAnthropic, Middleware } from '@anthropic-ai/sdk/client';
import type { UpstreamFetch } from '@turnpike/egress';
import type { sdkOptions } from '../connect-model-api.ts';

/** The options that the SDKs of all clouds take. */
export type SharedOptions = ReturnType<typeof sdkOptions> & {
  baseURL: string;
  fetch: UpstreamFetch['fetch'];
  middleware: Middleware[];
};

/** What is particular to one cloud. */
export interface Cloud {
  /** As errors call it. */
  name: string;
  baseUrl: string;
  /** Loads the SDK, and obtains the first credentials. */
  open(options: SharedOptions): Promise<{ client: BaseAnthropic; refresh(): Promise<unknown> }>;
  /** Its id of a model. */
  modelId(model: string): string;
  /** The API version of models that do not know the one that this package is written for, and of sampling parameters. */
  olderVersion: string;
  /** Whether a model of this id knows only that version. */
  isOlder(modelId: string): boolean;
  /** The tools of the Messages API that it does not run. */
  missingTools: readonly string[];
  streamOverhead: number;
  explain(error: unknown): unknown;
}
