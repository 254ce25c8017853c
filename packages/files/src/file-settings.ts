import { z } from 'zod';

/** Variables for the environment of each program that stores or reads files. */
export const fileVariables = {
  FILES_S3_BUCKET: z
    .string()
    .min(1)
    .optional()
    .describe('The bucket that new files are stored in.')
    .meta({ unset: 'files are stored in Postgres' }),
  FILES_S3_REGION: z.string().min(1).default('us-east-1').describe('The region of the bucket.'),
  FILES_S3_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('The URL of an object store that speaks S3.')
    .meta({ unset: 'that of AWS' }),
  FILES_S3_PREFIX: z
    .string()
    .regex(/^([\w!.*'()-]+\/)*$/, 'must be empty, or end with /')
    .default('turnpike/')
    .describe('Prefix of every key in the bucket.'),
  FILES_S3_PATH_STYLE: z
    .enum(['true', 'false'])
    .default('false')
    .describe('`true`: URLs have the bucket in their path, as most object stores but AWS want it.'),
  FILES_S3_ACCESS_KEY_ID: z
    .string()
    .min(1)
    .optional()
    .describe('Credentials of the bucket, with `FILES_S3_SECRET_ACCESS_KEY`.')
    .meta({ unset: 'those that the AWS SDK finds' }),
  FILES_S3_SECRET_ACCESS_KEY: z.string().min(1).optional().describe('See `FILES_S3_ACCESS_KEY_ID`.'),
  FILES_SCAN_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('A hook that each file is POSTed to, and that must accept it before it can be used.')
    .meta({ unset: 'files are not scanned' }),
  FILES_SCAN_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(100)
    .max(600_000)
    .default(60_000)
    .describe('How long the scan of one file may take. Milliseconds.'),
};

const environmentSchema = z.object(fileVariables);

/** Those variables as settings. */
export function fileSettings(environment: z.output<typeof environmentSchema>) {
  const {
    FILES_S3_BUCKET: bucket,
    FILES_S3_ACCESS_KEY_ID: accessKeyId,
    FILES_SCAN_URL: scanUrl,
  } = environment;
  const secretAccessKey = environment.FILES_S3_SECRET_ACCESS_KEY;
  return {
    s3:
      bucket === undefined
        ? null
        : {
            bucket,
            prefix: environment.FILES_S3_PREFIX,
            region: environment.FILES_S3_REGION,
            endpoint: environment.FILES_S3_ENDPOINT,
            pathStyle: environment.FILES_S3_PATH_STYLE === 'true',
            credentials:
              accessKeyId === undefined || secretAccessKey === undefined
                ? undefined
                : { accessKeyId, secretAccessKey },
          },
    scan: scanUrl === undefined ? null : { url: scanUrl, timeoutMs: environment.FILES_SCAN_TIMEOUT_MS },
  };
}
export type FileSettings = ReturnType<typeof fileSettings>;
