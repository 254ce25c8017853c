/** A server that lives as long as the tests need it. */
export interface Service {
  url: string;
  stop(): Promise<void>;
}
