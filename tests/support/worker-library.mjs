// `@turnpike/worker` as it is published: in a few files, from which a worker starts in half the time.
export * from '../../dist/program/worker-library.js';
