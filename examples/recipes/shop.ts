import { ToolError, type CodeToolCall } from '@turnpike/worker';

const SHOP_URL = process.env['SHOP_URL'] ?? 'https://shop.invalid';

/** Asks the shop's API. A response that is no success becomes an error that the model reads. */
export async function askShop(
  call: Pick<CodeToolCall, 'fetch'>,
  method: 'GET' | 'POST',
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<unknown> {
  const response = await call.fetch(`${SHOP_URL}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new ToolError(`The shop responded ${response.status}: ${await response.text()}`);
  return response.json();
}
