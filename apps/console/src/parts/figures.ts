const whole = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** Millionths of a US dollar, as dollars: cents where they suffice, more digits for less. */
export function dollars(micros: number): string {
  const value = micros / 1_000_000;
  if (value === 0) return '$0';
  if (value < 0.01) return `$${value.toFixed(6).replace(/0+$/, '')}`;
  return `$${value.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: value < 1 ? 4 : 2 })}`;
}

export function count(value: number): string {
  return whole.format(value);
}

export function short(value: number): string {
  return value < 10_000 ? whole.format(value) : compact.format(value);
}

export function duration(ms: number): string {
  if (ms < 1_000) return `${String(Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000)
    return `${String(Math.floor(ms / 60_000))} min ${String(Math.round((ms % 60_000) / 1_000))} s`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}

export function bytes(length: number): string {
  return length < 1_024 ? `${String(length)} B` : `${compact.format(length / 1_024)} kB`;
}

export function tokens(usage: {
  input_tokens: number;
  output_tokens: number;
  cache_creation_input_tokens: number;
  cache_read_input_tokens: number;
}): string {
  const read = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens;
  return `${short(read)} in, ${short(usage.output_tokens)} out`;
}
