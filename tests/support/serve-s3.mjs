// Started by `s3-server.ts` as a process of its own: `node serve-s3.mjs FOLDER BUCKET`. Tells its parent its port.
import S3rver from '@20minutes/s3rver';

const [, , directory, bucket] = process.argv;
const server = new S3rver({
  port: 0,
  address: '127.0.0.1',
  silent: true,
  directory,
  configureBuckets: [{ name: bucket, configs: [] }],
});
const { port } = await server.run();
process.send({ port });
process.once('disconnect', () => process.exit());
