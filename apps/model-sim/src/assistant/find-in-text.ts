/** The web addresses in a text, each once, without the punctuation of the sentence around them. */
export function findUrls(text: string): string[] {
  const found = text.match(/https?:\/\/[^\s<>"'`]+/g) ?? [];
  return [...new Set(found.map((url) => url.replace(/[.,;:!?)\]}]+$/, '')))];
}

/** The first time zone that a text names, by its IANA name or by a well-known city. */
export function findTimeZone(text: string): string | undefined {
  const named =
    /\b(?:Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific)\/[A-Za-z_]+(?:\/[A-Za-z_]+)?/.exec(
      text,
    );
  if (named !== null) return named[0];
  for (const [city, zone] of Object.entries(ZONES)) {
    if (new RegExp(`\\b${city}\\b`, 'i').test(text)) return zone;
  }
  return undefined;
}

const ZONES: Record<string, string> = {
  UTC: 'UTC',
  GMT: 'UTC',
  Lisbon: 'Europe/Lisbon',
  London: 'Europe/London',
  Paris: 'Europe/Paris',
  Berlin: 'Europe/Berlin',
  Madrid: 'Europe/Madrid',
  Rome: 'Europe/Rome',
  Zurich: 'Europe/Zurich',
  Vienna: 'Europe/Vienna',
  'New York': 'America/New_York',
  Chicago: 'America/Chicago',
  Denver: 'America/Denver',
  'San Francisco': 'America/Los_Angeles',
  'Los Angeles': 'America/Los_Angeles',
  'São Paulo': 'America/Sao_Paulo',
  Nairobi: 'Africa/Nairobi',
  Dubai: 'Asia/Dubai',
  Mumbai: 'Asia/Kolkata',
  Delhi: 'Asia/Kolkata',
  Singapore: 'Asia/Singapore',
  Shanghai: 'Asia/Shanghai',
  Tokyo: 'Asia/Tokyo',
  Seoul: 'Asia/Seoul',
  Sydney: 'Australia/Sydney',
};
