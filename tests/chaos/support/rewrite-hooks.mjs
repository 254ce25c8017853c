let rewrites = [];

export function initialize(data) {
  rewrites = data;
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  const wanted = rewrites.filter((rewrite) => rewrite.url === url);
  if (wanted.length === 0) return loaded;
  return { ...loaded, source: wanted.reduce(rewriteText, String(loaded.source)) };
}

function rewriteText(source, { url, text, instead }) {
  const count = source.split(text).length - 1;
  if (count !== 1) throw new Error(`Found ${count} times in ${url}, and wanted once: ${text}`);
  return source.replace(text, () => instead);
}
