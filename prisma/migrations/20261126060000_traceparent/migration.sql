-- The span of the request that brought a turn: whoever runs it, or delivers its events, goes on with that trace.
ALTER TABLE "turns" ADD COLUMN "traceparent" TEXT;
