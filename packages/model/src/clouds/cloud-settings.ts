import type { Secret } from '@turnpike/telemetry';

/** Model ids of the provider, by the names that agents have. */
export type ModelIds = ReadonlyMap<string, string>;

/** Claude on Amazon Bedrock. Without `apiKey`, requests are signed with the credentials that the AWS SDK finds. */
export interface BedrockSettings {
  provider: 'bedrock';
  region: string;
  /** Of the inference profile for models that `modelIds` does not name: `global`, `eu`, `us` and so on. */
  profile: string;
  /** Default: the public address in that region. */
  baseUrl?: string;
  /** A Bedrock API key. */
  apiKey?: Secret;
  modelIds: ModelIds;
}

/** Claude on Google Vertex AI, with the Application Default Credentials. */
export interface VertexSettings {
  provider: 'vertex';
  projectId: string;
  /** Also `global`, `us` and `eu`. */
  region: string;
  /** Default: the public address of that region. */
  baseUrl?: string;
  modelIds: ModelIds;
}

/** The cloud by which the operator's own model calls go. */
export type CloudSettings = BedrockSettings | VertexSettings;

/** Getting new credentials may take so long: of each request that it takes. Milliseconds. */
export const CREDENTIALS_TIMEOUT_MS = 5_000;
