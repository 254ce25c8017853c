-- The input of a call as the model wrote it: what its tool is given, the same bytes however often it is sent.
ALTER TABLE "tool_calls" ADD COLUMN "input_text" TEXT;
