-- Where the model API ran code for a response, so that the next request can use it again. No row is rewritten.
ALTER TABLE "messages" ADD COLUMN "container" JSONB;
