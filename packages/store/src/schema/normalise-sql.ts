/** A quoted string or identifier, or a run of comments and white space. */
const TOKEN = /('(?:[^']|'')*'|"(?:[^"]|"")*")|(?:--[^\n]*|\/\*[\s\S]*?\*\/|\s)+/g;

/** SQL with one space for each run of comments and white space. What is quoted stays as it is. */
export function normaliseSql(text: string): string {
  return text.replace(TOKEN, (_all, quoted?: string) => quoted ?? ' ').trim();
}
